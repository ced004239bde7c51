/* What is left of a host's memory: to the host, and to the control groups that this process is in. Those of SLURM and
 * of containers are often much smaller, and the system kills whoever goes beyond. */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 4096 };

/* The two versions of control groups: the type of their file system, and the files of a group. */
typedef struct version {
    const char *type, *limit, *usage, *inactive, *active;
} version;

static const version versions[] = {
    {"cgroup2", "memory.max", "memory.current", "inactive_file", "active_file"},
    {"cgroup", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file"},
};

/* The number after `name` at the start of a line of folder/file, or with "" the first of all; false: there is none. */
static bool find_number(const char *folder, const char *file, const char *name, size_t *value)
{
    char line[LINE_BYTES];
    const size_t n = strlen(name);
    bool found = false;
    if ((size_t)snprintf(line, sizeof line, "%s/%s", folder, file) >= sizeof line)
        return false;
    FILE *stream = fopen(line, "r");
    while (stream != NULL && !found && fgets(line, sizeof line, stream) != NULL)
        found = strncmp(line, name, n) == 0 && sscanf(line + n, " %zu", value) == 1;
    if (stream != NULL)
        fclose(stream);
    return found;
}

/* Pages that files have in memory are given back when there is no room: they count as free, as the host counts them. */
static size_t left_to_group(const version *v, const char *folder)
{
    size_t limit, usage, inactive = 0, active = 0;
    if (!find_number(folder, v->limit, "", &limit) || !find_number(folder, v->usage, "", &usage))
        return SIZE_MAX;
    find_number(folder, "memory.stat", v->inactive, &inactive);
    find_number(folder, "memory.stat", v->active, &active);
    const size_t files = inactive + active, used = files < usage ? usage - files : 0;
    return used < limit ? limit - used : 0;
}

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
        if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

/* path[LINE_BYTES] of this process's group, as the system names it: a line "number:controllers:path". */
static bool find_group(const char *proc, bool second, char *path)
{
    char line[LINE_BYTES];
    bool found = false;
    snprintf(line, sizeof line, "%s/self/cgroup", proc);
    FILE *stream = fopen(line, "r");
    while (stream != NULL && !found && fgets(line, sizeof line, stream) != NULL) {
        char *controllers = strchr(line, ':'), *name = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (name == NULL)
            continue;
        *name++ = '\0';
        name[strcspn(name, "\n")] = '\0';
        found = second ? controllers[1] == '\0' : has_word(controllers + 1, "memory");
        snprintf(path, LINE_BYTES, "%s", name);
    }
    if (stream != NULL)
        fclose(stream);
    return found;
}

/* Where that version is mounted, mount[LINE_BYTES], and which group is seen there, root[LINE_BYTES]. */
static bool find_mount(const char *proc, const version *v, char *root, char *mount)
{
    char line[LINE_BYTES], type[64], options[LINE_BYTES];
    bool found = false;
    snprintf(line, sizeof line, "%s/self/mountinfo", proc);
    FILE *stream = fopen(line, "r");
    while (stream != NULL && !found && fgets(line, sizeof line, stream) != NULL) {
        const char *end = strstr(line, " - ");
        found = end != NULL && sscanf(line, "%*d %*d %*s %4095s %4095s", root, mount) == 2 &&
                sscanf(end, " - %63s %*s %4095s", type, options) == 2 && strcmp(type, v->type) == 0 &&
                (v == &versions[0] || has_word(options, "memory"));
    }
    if (stream != NULL)
        fclose(stream);
    return found;
}

/* The least of the process's group and of those that it is in, as far up as this process can see. */
static size_t left_to_groups(const char *proc, const version *v)
{
    char path[LINE_BYTES], root[LINE_BYTES], mount[LINE_BYTES], folder[2 * LINE_BYTES];
    size_t left = SIZE_MAX;
    if (!find_group(proc, v == &versions[0], path) || !find_mount(proc, v, root, mount))
        return left;
    const size_t n_root = strcmp(root, "/") == 0 ? 0 : strlen(root), n_mount = strlen(mount);
    const bool below =
        strncmp(path, root, n_root) == 0 && strchr("/", path[n_root]) != NULL && strstr(path, "..") == NULL;
    snprintf(folder, sizeof folder, "%s%s", mount, below ? path + n_root : "");
    for (char *cut = folder; cut != NULL && strlen(folder) >= n_mount;) {
        const size_t here = left_to_group(v, folder);
        left = here < left ? here : left;
        cut = strrchr(folder, '/');
        if (cut != NULL)
            *cut = '\0';
    }
    return left;
}

size_t kt_memory_available_by(const char *proc)
{
    size_t kib, left = find_number(proc, "meminfo", "MemAvailable:", &kib) ? kib * 1024 : SIZE_MAX;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        const size_t here = left_to_groups(proc, &versions[i]);
        left = here < left ? here : left;
    }
    return left;
}

size_t kt_memory_available(void)
{
    return kt_memory_available_by("/proc");
}
