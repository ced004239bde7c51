#!/usr/bin/env python3
"""Writes the arrays that tests read: make_arrays.py hdf5|formats FOLDER, or check FILE (an HDF5 file written by test_hdf5_file.c).

`formats` also writes FOLDER/expected.txt, one line per array:
    NAME TYPE N_DIMS DIM... VALUE...
NAME is "file" or "file:member", TYPE as NumPy names it, every value as a C hexadecimal float or an integer."""
import gzip
import os
import struct
import sys
import zipfile

import h5py
import numpy as np

KINDS = ["b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]
SHAPES = [(7,), (3, 5), (2, 3, 4), (2, 2, 3, 2), (0, 4), (1, 1)]
IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def write_hdf5(folder):
    path = os.path.join(folder, "types.h5")
    with h5py.File(path, "w") as f:
        for kind in KINDS:
            for order, name in ("<", "le"), (">", "be"):
                numpy_type = "?" if kind == "b1" else order + kind
                f[f"{name}_{kind}"] = np.arange(6).reshape(2, 3).astype(numpy_type)
        f.create_dataset("zipped", data=np.arange(10000, dtype="f4"), chunks=(100,), compression="gzip")
        f.create_dataset("unwritten", shape=(1 << 40,), dtype="f8", chunks=(1024,))
        f["complex"] = np.zeros(3, "c8")
        f["void"] = h5py.Empty("f4")
        f["text"] = "caf\u00e9"
        f["fixed"] = np.array([b"one", b"three"])
        f.create_dataset("varying", data=["a", "", "long one"], dtype=h5py.string_dtype())
        f["five"] = np.zeros((1, 1, 1, 1, 1))
        with open(path + ".raw", "wb") as raw:
            raw.write(bytes(80))
        f.create_dataset("outside", shape=(10,), dtype="f8", external=[(path + ".raw", 0, 80)])
    write_unclosed(folder)


def write_unclosed(folder):
    """A file of HDF5's latest format whose writer ends without closing it."""
    child = os.fork()
    if child == 0:
        f = h5py.File(os.path.join(folder, "unclosed.h5"), "w", libver="latest")
        f["features"] = np.zeros((3, 4))
        f.flush()
        os._exit(0)
    os.waitpid(child, 0)


def check_hdf5(path):
    with h5py.File(path, "r") as f:
        weights = f["/a/b/weights"]
        assert weights.dtype == np.float32 and (weights[()] == np.arange(6).reshape(2, 3)).all()
        assert f["/a/text"][()].decode() == "h\u00e9llo" and f["/count"][()] == 2**63 + 1
        assert [text.decode() for text in f["/names"][()]] == ["one", "", "three"]


def values_of(kind, shape):
    """Random values over the whole range of the type, its extremes first."""
    rng = np.random.default_rng(sum(map(ord, kind)) + len(shape))
    n = int(np.prod(shape))
    if kind == "b1":
        flat = rng.integers(0, 2, n).astype(bool)
    elif kind[0] in "iu":
        info = np.iinfo(kind)
        flat = rng.integers(info.min, info.max, n, dtype=kind, endpoint=True)
        flat[:2] = [info.min, info.max][: len(flat[:2])]
    else:
        flat = (rng.standard_normal(n) * 100).astype(kind)
        special = [np.finfo(kind).max, np.finfo(kind).tiny / 4, -0.0, np.nan, np.inf, -np.inf]
        flat[: len(special)] = special[: len(flat[: len(special)])]
    return flat.reshape(shape)


def text_of(x):
    return str(int(x)) if x.dtype.kind in "biu" else float(x).hex()


class Formats:
    def __init__(self, folder):
        self.folder = folder
        self.lines = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def expect(self, name, a):
        kind = {"longdouble": "float128"}.get(a.dtype.newbyteorder("=").name, a.dtype.newbyteorder("=").name)
        values = [text_of(x) for x in a.reshape(-1)]
        self.lines.append(" ".join([name, kind, str(a.ndim), *map(str, a.shape), *values]))

    def npy(self):
        n = 0
        for kind in KINDS + ["f16"]:
            for order in "<>":
                for shape in SHAPES:
                    a = values_of(kind, shape) if kind != "f16" else values_of("f8", shape).astype("f16")
                    a = a.astype(a.dtype.newbyteorder(order))
                    for fortran in (False, True):
                        name = f"a{n}.npy"
                        n += 1
                        with open(self.path(name), "wb") as f:
                            version = [(1, 0), (2, 0), (3, 0)][n % 3]
                            np.lib.format.write_array(f, np.asfortranarray(a) if fortran else a, version=version)
                        self.expect(name, a)

    def npz(self):
        x, y = values_of("f4", (4, 3)), values_of("i8", (4,))
        np.savez(self.path("stored.npz"), X=x, y=y)
        np.savez_compressed(self.path("deflated.npz"), images=np.zeros((100, 50), "u1"), y=y)
        np.savez_compressed(self.path("single.npz"), anything=x)
        np.savez(self.path("unclear.npz"), p=x, q=y)
        self.expect("stored.npz", x)
        for name in ("stored.npz:y", "stored.npz:y.npy", "deflated.npz:y", "unclear.npz:q"):
            self.expect(name, y)
        self.expect("deflated.npz", np.zeros((100, 50), "u1"))
        self.expect("single.npz", x)

    def idx(self):
        for kind, code in IDX_CODES.items():
            a = values_of(kind, (5, 2, 3))
            head = bytes([0, 0, code, a.ndim]) + b"".join(struct.pack(">I", d) for d in a.shape)
            body = head + a.astype(">" + kind).tobytes()
            with open(self.path(f"{kind}-idx3-ubyte"), "wb") as f:
                f.write(body)
            with gzip.open(self.path(f"{kind}.idx.gz"), "wb") as f:
                f.write(body)
            self.expect(f"{kind}-idx3-ubyte", a)
            self.expect(f"{kind}.idx.gz", a)

    def csv(self):
        whole = np.arange(-6, 6).reshape(4, 3)
        real = np.array([[0.1, -2.5e-8, 3], [np.nan, np.inf, -np.inf]])
        texts = {
            "plain.csv": ("-6,-5,-4\n-3,-2,-1\n0,1,2\n3,4,5\n", whole),
            "crlf.csv": ("a,b,c\r\n-6,-5,-4\r\n-3,-2,-1\r\n0,1,2\r\n3,4,5\r\n", whole),
            "no_end.csv": ("-6, -5 ,-4\n-3,-2,-1\n0,1,2\n3,4,5", whole),
            "bom.csv": ("\ufeff-6,-5,-4\n-3,-2,-1\n0,+1,2\n3,4,5\n\n", whole),
            "real.csv": ("x,y,z\n0.1,-2.5e-8,3\nnan,inf,-Inf\n", real),
            "column.txt": ("7\n8\n", np.array([[7], [8]])),
        }
        for name, (text, a) in texts.items():
            with open(self.path(name), "wb") as f:
                f.write(text.encode())
            self.expect(name, a)

    def hdf5(self):
        x, y = values_of("f4", (4, 3)), values_of("i4", (4,))
        with h5py.File(self.path("two.h5"), "w") as f:
            f["features"], f["deep/er/labels"] = x, y
        with h5py.File(self.path("one.hdf5"), "w") as f:
            f["group/only"] = y
        for n_bytes, name in (512, "block.h5"), (512, "v73.mat"), (2048, "far.dat"):
            with h5py.File(self.path(name), "w", userblock_size=n_bytes) as f:
                f["x"] = x
            with open(self.path(name), "r+b") as block:
                block.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
            self.expect(name, x)
        self.expect("two.h5", x)
        self.expect("two.h5:deep/er/labels", y)
        self.expect("two.h5:/deep/er/labels", y)
        self.expect("one.hdf5", y)
        self.expect("block.h5:x", x)
        self.links(x, y)

    def links(self, x, y):
        """Arrays by links of all kinds; what is not to be taken is y, so that its shape would tell."""
        big = np.zeros((1200, 1000), "f4")
        with h5py.File(self.path("target.h5"), "w") as f:
            f["deep/x"] = x
            f.create_dataset("zipped", data=big, compression="gzip")
        ways = {"soft": lambda f: h5py.SoftLink("/stored/x"), "hard": lambda f: f["stored/x"],
                "external": lambda f: h5py.ExternalLink("target.h5", "/deep/x"),
                "itself": lambda f: h5py.ExternalLink("itself.h5", "/stored/x")}
        for name, link in ways.items():
            with h5py.File(self.path(name + ".h5"), "w") as f:
                f["stored/x"], f["a"] = x, y
                f["features"] = link(f)
            self.expect(name + ".h5", x)
            self.expect(name + ".h5:/features", x)
        with h5py.File(self.path("names.h5"), "w") as f:
            f["b"] = y
            f["a"], f["c"] = f["b"], h5py.SoftLink("b")
            f["up"] = f["/"]
        self.expect("names.h5", y)
        self.expect("names.h5:up/up/c", y)
        with h5py.File(self.path("inside.h5"), "w") as f:
            f["data/values"] = y
        self.expect("inside.h5", y)
        with h5py.File(self.path("far.h5"), "w") as f: # small itself, and larger than it could hold where it leads
            f["X"] = h5py.ExternalLink("target.h5", "/zipped")

    def filtered(self):
        """Datasets whose bytes went through filters that are not installed."""
        lines = []
        for number, name in (32001, "Blosc"), (32015, "Zstandard"), (307, "bzip2"), (39999, "no name"):
            with h5py.File(self.path(f"filter{number}.h5"), "w") as f:
                creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                creation.set_chunk((4, 3))
                creation.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1,))
                space = h5py.h5s.create_simple((4, 3))
                h5py.h5d.create(f.id, b"x", h5py.h5t.IEEE_F32LE, space, creation).write_direct_chunk((0, 0), bytes(48))
            lines += [f"filter{number}.h5 filter {number} ({name}", f"filter{number}.h5 h5repack -f GZIP"]
        return lines

    def foreign(self):
        """Files of other programs by their first bytes, and what must be said of each."""
        page = b"<!doctype HTML><html><body>404</body></html>"
        starts = {
            "lfs.npy": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
            "annex.npy": (b"/annex/objects/SHA256E-s3--0.npy\n", "git annex get"), "dvc.csv": (b"outs:\n- md5: 0\n", "dvc pull"),
            "page.npy": (page, "web page"), "blank.csv": (b"\r\n\n  " + page, "web page"), "parquet.csv": (b"PAR1\x15\0\x15", "Parquet"),
            "utf16.csv": ("a,b\n1,2\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"), "utf16be.csv": ("a,b\n1,2\n".encode("utf-16-be"), "iconv -f UTF-16"),
            "utf16le.csv": ("a,b\n1,2\n".encode("utf-16-le"), "iconv -f UTF-16"), "utf32.csv": ("1,2\n".encode("utf-32"), "iconv -f UTF-32"),
            "pickle.pkl": (b"\x80\x04\x95\0\0\0\0\0\0\0\0K\1.", "pickle"), "matlab5.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(128), "-v7.3"),
            "picture.png": (b"\x89PNG\r\n\x1a\n", "PNG picture"), "photo.jpg": (b"\xff\xd8\xff\xe0", "JPEG"), "list.csv": (b"[[1,2]]", "JSON"),
            "folder.tar": (b"x.npy".ljust(257, b"\0") + b"ustar", "tar xf"), "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
        }
        for name, (start, _) in starts.items():
            with open(self.path(name), "wb") as f:
                f.write(start)
        lines = [f"{name} {words}" for name, (_, words) in starts.items()]
        members = {"model.pt": ("archive/data.pkl", "PyTorch"), "table.xlsx": ("xl/workbook.xml", "Excel"), "table.zip": ("a/table.csv", "CSV file")}
        for name, (member, words) in members.items():
            with zipfile.ZipFile(self.path(name), "w") as archive:
                archive.writestr(member, "1,2")
            lines.append(f"{name} {words}")
        np.savez(self.path("sparse.npz"), indices=np.zeros(2, "i4"), indptr=np.zeros(3, "i4"), format=np.array(b"csr"), shape=np.array([2, 2]),
                 data=np.ones(2))
        return lines + ["sparse.npz X.toarray()"]

    def not_arrays(self):
        """Files of one array besides something that has a usual name, and what must be said of that."""
        links = {
            "gone.h5": (h5py.SoftLink("/none/x"), "link to /none/x"),
            "lost.h5": (h5py.ExternalLink("absent.h5", "/x"), "link to /x in the file absent.h5"),
            "text_file.h5": (h5py.ExternalLink("plain.csv", "/x"), "in the file plain.csv"),
            "circle.h5": (h5py.SoftLink("/features"), "too many links"),
            "far_circle.h5": (h5py.ExternalLink("far_circle.h5", "/features"), "link to /features in the file far_circle.h5"),
            "type.h5": (np.dtype("f4"), "is no dataset"),
            "number.h5": (3.0, "a single value"),
        }
        lines = []
        for name, (content, words) in links.items():
            with h5py.File(self.path(name), "w") as f:
                f["features"], f["only"] = content, np.arange(4)
            lines += [f"{name} {words}", f"{name}:features {words}"]
        groups = {"group.h5": (["a", "b"], "a group of a, b"), "csr.h5": (["data", "indices", "indptr"], "X.toarray()"),
                  "matlab.h5": (["data", "ir", "jc"], "full(X)"), "pandas.h5": (["axis0", "block0_values"], "pandas")}
        for name, (members, words) in groups.items():
            with h5py.File(self.path(name), "w") as f:
                f["only"] = np.arange(4)
                for member in members:
                    f["X/" + member] = np.arange(3)
            lines.append(f"{name} {words}")
        return lines

    def refused(self):
        """Valid files that hold no numbers, in refused.txt: NAME, then words that the message must have."""
        arrays = {
            "complex.npy": (np.zeros(3, "c16"), "complex"),
            "object.npy": (np.array([None, 1], dtype=object), "objects"),
            "string.npy": (np.array(["a", "b"]), "strings"),
            "bytes.npy": (np.array([b"a", b"b"]), "strings"),
            "date.npy": (np.zeros(2, "M8[s]"), "dates"),
            "record.npy": (np.zeros(2, [("a", "f4"), ("b", "i4")]), "structured"),
            "scalar.npy": (np.array(3.0), "0 dimensions"),
            "five.npy": (np.zeros((1, 1, 1, 1, 1)), "5 dimensions"),
        }
        lines = ["unclear.npz FILE:NAME", "text.gz no IDX data", *self.not_arrays(), *self.filtered(), *self.foreign()]
        with gzip.open(self.path("text.gz"), "wb") as f:
            f.write(b"1,2\n3,4\n")
        for name, (a, words) in arrays.items():
            np.save(self.path(name), a, allow_pickle=True)
            lines.append(f"{name} {words}")
        with open(self.path("refused.txt"), "w") as f:
            f.write("\n".join(lines) + "\n")

    def run(self):
        for write in self.npy, self.npz, self.idx, self.csv, self.hdf5, self.refused:
            write()
        with open(self.path("expected.txt"), "w") as f:
            f.write("\n".join(self.lines) + "\n")


if __name__ == "__main__":
    {"hdf5": write_hdf5, "check": check_hdf5, "formats": lambda folder: Formats(folder).run()}[sys.argv[1]](sys.argv[2])
