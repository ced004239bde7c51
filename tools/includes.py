"""What includes what in src/: the graph behind tests/check_floors.py, and its drawing.

    python3 tools/includes.py >docs/includes.svg

A module is a pair of files x.h and x.c; a larger one has x_part.c, x_part.h and x_private.h. The drawing is a house: a band for
each floor, the highest on top, a box for each module, a line from each to what it includes. Drawn anew it is the same file
as long as no include has changed."""
import glob
import graphlib
import os
import re
import sys

SOURCE = os.environ.get("KT_SOURCE_DIR") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SRC = os.path.join(SOURCE, "src")


def text_of(path):
    with open(path) as file:
        return file.read()


def includes(path):
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', text_of(path), re.M)


def floors():
    """Each floor, lowest first, and patterns of the headers that it may include, as src/CMakeLists.txt has them."""
    found = {}
    for name, rest in re.findall(r"^kt_floor\((\w+)([^)]*)\)", text_of(os.path.join(SRC, "CMakeLists.txt")), re.M):
        used = rest.partition("MAY_USE")[2].partition("LINKS")[0].split()
        found[name] = [f"{name}/*.h"] + [f"{use}.h" if "/" in use else f"{use}/*.h" for use in used]
    return found


def files_of(floor):
    return sorted(glob.glob(f"{SRC}/{floor}/*.[ch]"))


def module_of(path):
    """floor/x of a file: the longest pair of files that its name begins with, so floor/x_part.c is part of floor/x."""
    folder, name = os.path.split(path)
    floor = os.path.basename(folder)
    whole = stem = re.sub(r"(_private)?\.[ch]$", "", name)
    while not all(os.path.exists(f"{SRC}/{floor}/{stem}{end}") for end in (".c", ".h")):
        stem = stem.rpartition("_")[0]
        if not stem:
            return f"{floor}/{whole}"
    return f"{floor}/{stem}"


def graph():
    """Module -> the modules that it includes."""
    edges = {}
    for floor in floors():
        for path in files_of(floor):
            used = edges.setdefault(module_of(path), set())
            used.update(module_of(f"{SRC}/{name}") for name in includes(path) if os.path.exists(f"{SRC}/{name}"))
    return {module: used - {module} for module, used in edges.items()}


def circle(edges):
    """One circle of modules, or None."""
    try:
        tuple(graphlib.TopologicalSorter(edges).static_order())
    except graphlib.CycleError as error:
        return error.args[1]
    return None


# ---- the drawing ----

WIDTH, MARGIN, NAME_WIDTH = 1400, 16, 90
BOX_HEIGHT, ROW, GAP, LETTER = 22, 62, 14, 7.2
COLOURS = ("#6b7280", "#0891b2", "#65a30d", "#d97706", "#dc2626", "#9333ea", "#0d9488", "#db2777", "#2563eb", "#475569")


def place(edges):
    """Boxes {module: (x, y, width)} and bands [(floor, y, height)]; in a floor, what includes much stands on the left."""
    boxes, bands, y = {}, [], MARGIN
    for floor in reversed(list(floors())):
        top, x = y, MARGIN + NAME_WIDTH
        modules = [m for m in edges if m.startswith(floor + "/")]
        y += GAP
        for module in sorted(modules, key=lambda m: (-len(edges[m]), m)):
            width = len(module.partition("/")[2]) * LETTER + 14
            if x + width > WIDTH - MARGIN:
                x, y = MARGIN + NAME_WIDTH, y + ROW
            boxes[module] = x, y, width
            x += width + GAP
        y += BOX_HEIGHT + GAP
        bands.append((floor, top, y - top))
        y += 2 * GAP
    return boxes, bands, y


def draw(edges):
    boxes, bands, height = place(edges)
    colour = dict(zip(floors(), COLOURS))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="12">',
           "<title>What includes what in src/</title>",
           "<style>text{fill:#111}.band{fill:#f3f4f6}.box{fill:#fff}svg{background:#fff}"
           "@media(prefers-color-scheme:dark){text{fill:#eee}.band{fill:#1f2937}.box{fill:#111827}svg{background:#030712}}"
           "path{fill:none;stroke-opacity:.28}path:hover{stroke-opacity:1;stroke-width:3}</style>"]
    for floor, y, tall in bands:
        out.append(f'<rect class="band" x="{MARGIN / 2}" y="{y}" width="{WIDTH - MARGIN}" height="{tall}" rx="6"/>'
                   f'<text x="{MARGIN}" y="{y + tall / 2 + 4}" font-weight="bold">{floor}/</text>')
    for module, used in sorted(edges.items()):
        x, y, width = boxes[module]
        for other in sorted(used):
            a, b, wide = boxes[other]
            x1, y1, x2, y2 = x + width / 2, y + BOX_HEIGHT, a + wide / 2, b
            if y2 <= y1:  # beside or above it in the same floor
                y2 = b + BOX_HEIGHT
            bend = max(24, abs(y2 - y1) / 2)
            end = y2 - bend if y2 > y1 and b > y else y2 + bend
            out.append(f'<path stroke="{colour[module.partition("/")[0]]}" d="M{x1:.0f} {y1} C{x1:.0f} {y1 + bend:.0f} '
                       f'{x2:.0f} {end:.0f} {x2:.0f} {y2}"><title>{module} includes {other}</title></path>')
    for module, (x, y, width) in sorted(boxes.items()):
        floor, _, name = module.partition("/")
        out.append(f'<rect class="box" x="{x:.0f}" y="{y}" width="{width:.0f}" height="{BOX_HEIGHT}" rx="4" '
                   f'stroke="{colour[floor]}"/><text x="{x + 7:.0f}" y="{y + 15}">{name}</text>')
    return "\n".join(out + ["</svg>"])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    print(draw(graph()))
