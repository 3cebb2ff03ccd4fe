// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
//
// What runs in the kernel while a container is observed.
//
// Every process that has the container's host name is looked at: engines give each container a name of its own, in a
// namespace of its own, before the image's program starts, and nobody else has it. For each of these the kernel counts
// here, in tables that are read when the container has ended:
//
//   files    programs executed and objects mapped executable, by their path in the container
//   calls    system calls by program, number and the values of the arguments that say what they do
//   pairs    which program executed which, and which program mapped which object
//
// Objects are met where a call maps a file or makes memory executable that a file is mapped to, and the interpreter of a
// program where the program is executed: the kernel maps that by itself.
//
// Nothing is streamed, so nothing can be dropped on the way; where a table is full or a path too long, that is counted
// in `state` and the whole observation is worth nothing. A task that has not executed anything since it entered the
// container is the container runtime, which is program 0.
//
// Compiled by `cargo xtask observer` into generated/observe.bpf.o; offsets in the kernel's structures are adjusted to
// the running kernel when it is loaded (BPF CO-RE). The structures below name only what is used of them.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;

#define ARGUMENTS 6
#define CALL_NUMBERS 1024 // Numbers above are those of another architecture and have no known arguments.
#define HOST_NAME_WORDS 8
#define PATH 1024
#define STEPS 128 // Folders and mounts on the way to the root of a path.

#define AREAS 32   // Areas of memory that one call makes executable.

#define PROT_READ 0x1
#define PROT_EXEC 0x4
#define MAP_ANONYMOUS 0x20
#define READ_IMPLIES_EXEC 0x0400000
#define BUSY (-16)
#define ERRORS (-4095UL) // Results from here on are errors.
#define STATUS_COMPAT 0x2    // Of thread_info.status: the current call is one of the 32-bit table.
#define COMPAT 0x80000000    // In call.number, the same.

enum { MMAP = 9, MPROTECT = 10, SETHOSTNAME = 170, PKEY_MPROTECT = 329 };

enum { HASH = 1, ARRAY = 2, PERCPU_ARRAY = 6, TASK_STORAGE = 29 };
enum { ANY = 0, NOEXIST = 1 };
enum { NO_PREALLOC = 1, CREATE = 1 };

// What `state` counts, by index.
enum { NEXT_FILE, LOST_CALLS, LOST_FILES, LOST_PAIRS, LOST_TASKS, LOST_AREAS, LONG_PATHS, RENAMED, STATES };

// Who executed whom, or mapped what.
enum { EXECUTED, MAPPED };

#define SECTION(name) __attribute__((section(name), used))
#define FIELD(name, value) int(*name)[value]
#define KERNEL __attribute__((preserve_access_index))
#define FUNCTION static __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static void *(*const task_storage)(void *map, void *task, void *value, u64 flags) = (void *)156;

struct new_utsname { char nodename[65]; } KERNEL;
struct uts_namespace { struct new_utsname name; } KERNEL;
struct nsproxy { struct uts_namespace *uts_ns; } KERNEL;
struct thread_info { u32 status; } KERNEL;
struct qstr { u32 len; const u8 *name; } KERNEL;
struct dentry { struct dentry *d_parent; struct qstr d_name; } KERNEL;
struct vfsmount { struct dentry *mnt_root; } KERNEL;
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; } KERNEL;
struct path { struct vfsmount *mnt; struct dentry *dentry; } KERNEL;
struct inode { long long i_size; } KERNEL;
struct fdtable { u32 max_fds; struct file **fd; } KERNEL;
struct files_struct { struct fdtable *fdt; } KERNEL;
struct file { struct path f_path; struct inode *f_inode; } KERNEL;
struct mm_struct { struct file *exe_file; } KERNEL;
struct vm_area_struct { unsigned long vm_end; struct file *vm_file; } KERNEL;
struct task_struct {
    struct thread_info thread_info;
    struct nsproxy *nsproxy;
    struct mm_struct *mm;
    struct files_struct *files;
    u32 personality;
} KERNEL;
struct pt_regs { unsigned long di, si, dx, r10, r8, r9, orig_ax, ip; } KERNEL;

static long (*const repeat)(u32 times, void *what, void *with, u64 flags) = (void *)181;
static struct task_struct *(*const current_task)(void) = (void *)158;
static struct pt_regs *(*const registers_of)(struct task_struct *task) = (void *)175;
static long (*const find_area)(struct task_struct *task, u64 address, void *then, void *with, u64 flags) = (void *)180;

// The container's host name, and which bytes of it count; set before loading.
const volatile u64 HOST_NAME[HOST_NAME_WORDS] = {};
const volatile u64 HOST_NAME_MASK[HOST_NAME_WORDS] = {};

struct path_key {
    char text[PATH];
};

struct note {
    u64 id;
    u64 executions;
    u64 size; // Of the file, when it was first met.
};

struct call {
    u32 program;
    u32 number;
    u64 arguments[ARGUMENTS];
};

struct pair {
    u32 kind;
    u32 program;
    u32 other;
    u32 unused;
};

// What is known of a task.
struct runs {
    u64 program;
    u64 object;  // What it is about to map, until the call returns.
    u64 address; // Where its memory became executable, until it is known what is mapped there.
    u64 end;
};

struct masks {
    u64 bits[ARGUMENTS];
};

struct scratch {
    struct path_key key;
    u64 at; // Where the path begins in `text`. Kept here, as the verifier would follow its value through every step.
    char text[2 * PATH]; // Filled from its middle to the front.
};

struct { FIELD(type, HASH); FIELD(max_entries, 8192); struct path_key *key; struct note *value; } files SECTION(".maps");
struct { FIELD(type, HASH); FIELD(max_entries, 131072); struct call *key; u64 *value; } calls SECTION(".maps");
struct { FIELD(type, HASH); FIELD(max_entries, 32768); struct pair *key; u64 *value; } pairs SECTION(".maps");
struct { FIELD(type, ARRAY); FIELD(max_entries, STATES); u32 *key; u64 *value; } state SECTION(".maps");
struct { FIELD(type, ARRAY); FIELD(max_entries, CALL_NUMBERS); u32 *key; struct masks *value; } masks SECTION(".maps");
struct { FIELD(type, TASK_STORAGE); FIELD(map_flags, NO_PREALLOC); s32 *key; struct runs *value; } tasks SECTION(".maps");

struct { FIELD(type, PERCPU_ARRAY); FIELD(max_entries, 1); u32 *key; struct scratch *value; } scratches SECTION(".maps");

INLINE void count(u32 what)
{
    u64 *counter = map_lookup(&state, &what);
    if (counter)
        __sync_fetch_and_add(counter, 1);
}

// Whether the task is in the container.
INLINE int is_inside(struct task_struct *task)
{
    // Through a register, as the compiler would read bytes from what isn't aligned.
    const u64 *name = (const u64 *)task->nsproxy->uts_ns->name.nodename;
    asm volatile("" : "+r"(name));
#pragma unroll
    for (int word = 0; word < HOST_NAME_WORDS; word++) {
        if (!HOST_NAME_MASK[word])
            return 1;
        if ((name[word] & HOST_NAME_MASK[word]) != HOST_NAME[word])
            return 0;
    }
    return 1;
}

#define READ(to, from) read_kernel(&(to), sizeof(to), &(from))

// On the way from a file to the root.
struct walk {
    struct scratch *scratch;
    struct mount *mount;
    struct dentry *dentry;
    u64 is_whole;
};

enum { GO_ON, STOP };

static long walk_up(u32 step, struct walk *walk)
{
    struct dentry *root = 0, *parent = 0;
    READ(root, walk->mount->mnt.mnt_root);
    if (walk->dentry == root) {
        struct mount *below = 0;
        READ(below, walk->mount->mnt_parent);
        if (below == walk->mount) {
            walk->is_whole = 1;
            return STOP;
        }
        READ(walk->dentry, walk->mount->mnt_mountpoint);
        walk->mount = below;
        return GO_ON;
    }
    u32 length = 0;
    const u8 *name = 0;
    READ(parent, walk->dentry->d_parent);
    READ(length, walk->dentry->d_name.len);
    READ(name, walk->dentry->d_name.name);
    u64 size = length, at = walk->scratch->at;
    asm volatile("" : "+r"(size));
    if (size > 255 || at < size + 1)
        return STOP;
    at -= size;
    u64 from = at;
    asm volatile("%0 &= 1023" : "+r"(from));
    read_kernel(&walk->scratch->text[from], size, name);
    if (parent == walk->dentry) {
        walk->scratch->at = at;
        walk->is_whole = 1;
        return STOP;
    }
    from = --at;
    asm volatile("%0 &= 1023" : "+r"(from));
    walk->scratch->text[from] = '/';
    walk->scratch->at = at;
    walk->dentry = parent;
    return GO_ON;
}

// Writes the path of a file into the scratch space's key, as somebody in the container sees it; files without a place
// (a memfd) have no slash in front. Whether that worked.
INLINE int make_path(struct scratch *scratch, struct file *file)
{
    struct path path = {};
    READ(path.mnt, file->f_path.mnt);
    READ(path.dentry, file->f_path.dentry);
    struct walk walk = {
        .scratch = scratch,
        .mount = (void *)path.mnt - __builtin_preserve_field_info(((struct mount *)0)->mnt, 0),
        .dentry = path.dentry,
    };
    scratch->at = PATH;
    repeat(STEPS, walk_up, &walk, 0);
    if (!walk.is_whole)
        return 0;
    __builtin_memset(&scratch->key, 0, sizeof(scratch->key));
    u64 at = scratch->at, length = PATH - at;
    asm volatile("" : "+r"(length));
    if (length == 0 || length >= PATH)
        return 0;
    asm volatile("%0 &= 1023" : "+r"(at));
    asm volatile("%0 &= 1023" : "+r"(length));
    return read_kernel(scratch->key.text, length, &scratch->text[at]) == 0;
}

// The note of a file, made where there is none yet; nothing where it could not be kept, which is counted then.
FUNCTION struct note *note_of(struct file *file)
{
    u32 only = 0;
    struct scratch *scratch = map_lookup(&scratches, &only);
    if (!scratch)
        return 0;
    if (!make_path(scratch, file)) {
        count(LONG_PATHS);
        return 0;
    }
    struct note *note = map_lookup(&files, &scratch->key);
    if (note)
        return note;
    u32 next = NEXT_FILE;
    u64 *counter = map_lookup(&state, &next);
    if (!counter)
        return 0;
    struct inode *inode = 0;
    long long size = 0;
    READ(inode, file->f_inode);
    READ(size, inode->i_size);
    struct note fresh = { .id = __sync_fetch_and_add(counter, 1) + 1, .size = size };
    map_update(&files, &scratch->key, &fresh, NOEXIST);
    // Somebody else may have been faster, whose note it is then.
    note = map_lookup(&files, &scratch->key);
    if (!note)
        count(LOST_FILES);
    return note;
}

INLINE void note_pair(u32 kind, u32 program, u32 other)
{
    struct pair pair = { .kind = kind, .program = program, .other = other };
    u64 *times = map_lookup(&pairs, &pair);
    if (!times) {
        u64 none = 0;
        map_update(&pairs, &pair, &none, NOEXIST);
        times = map_lookup(&pairs, &pair);
    }
    if (times)
        __sync_fetch_and_add(times, 1);
    else
        count(LOST_PAIRS);
}

// Memory that has become executable.
struct areas {
    u64 program;
    u64 address;
    u64 end;
    u64 is_busy;
};

static long note_area(struct task_struct *task, struct vm_area_struct *memory, struct areas *areas)
{
    struct file *file = memory->vm_file;
    if (file) {
        struct note *object = note_of(file);
        if (object)
            note_pair(MAPPED, areas->program, object->id);
    }
    areas->address = memory->vm_end;
    return 0;
}

static long note_next_area(u32 step, struct areas *areas)
{
    u64 address = areas->address;
    if (address >= areas->end)
        return STOP;
    long result = find_area(current_task(), address, note_area, areas, 0);
    areas->is_busy = result == BUSY;
    // Beyond the last area there is none.
    if (result)
        return STOP;
    return GO_ON;
}

// Notes what is mapped where the task's memory has become executable. While another thread changes the memory that
// cannot be seen; it is tried again with the task's next call then.
FUNCTION int note_areas(struct runs *runs)
{
    struct areas areas = { .program = runs->program, .address = runs->address, .end = runs->end };
    if (repeat(AREAS, note_next_area, &areas, 0) == AREAS && areas.address < areas.end)
        count(LOST_AREAS);
    runs->address = areas.is_busy ? areas.address : 0;
    return 0;
}

// What the task is about to map executable; 0 for nothing that has a file.
INLINE u64 object_of(struct task_struct *task, struct pt_regs *registers)
{
    u64 protection = registers->dx;
    int is_executable = (protection & PROT_EXEC) ||
                        ((protection & PROT_READ) && (task->personality & READ_IMPLIES_EXEC));
    if (!is_executable || (registers->r10 & MAP_ANONYMOUS))
        return 0;
    struct fdtable *table = task->files->fdt;
    u32 descriptor = registers->r8;
    if (descriptor >= table->max_fds)
        return 0;
    struct file **slot = table->fd;
    struct file *file = 0;
    read_kernel(&file, sizeof(file), slot + descriptor);
    if (!file)
        return 0;
    struct note *note = note_of(file);
    return note ? note->id : 0;
}

SECTION("tp_btf/sys_enter")
int enter(u64 *context)
{
    struct task_struct *task = current_task();
    if (!is_inside(task))
        return 0;
    struct pt_regs *registers = (void *)context[0];
    struct runs *runs = task_storage(&tasks, task, 0, 0);
    if (runs && runs->address)
        note_areas(runs);
    struct call call = { .program = runs ? runs->program : 0, .number = context[1] };
    if (task->thread_info.status & STATUS_COMPAT) {
        call.number |= COMPAT;
    } else {
        struct masks *mask = map_lookup(&masks, &call.number);
        if (mask) {
            call.arguments[0] = registers->di & mask->bits[0];
            call.arguments[1] = registers->si & mask->bits[1];
            call.arguments[2] = registers->dx & mask->bits[2];
            call.arguments[3] = registers->r10 & mask->bits[3];
            call.arguments[4] = registers->r8 & mask->bits[4];
            call.arguments[5] = registers->r9 & mask->bits[5];
        }
        if (call.number == MMAP && runs)
            runs->object = object_of(task, registers);
    }
    u64 *times = map_lookup(&calls, &call);
    if (!times) {
        u64 none = 0;
        map_update(&calls, &call, &none, NOEXIST);
        times = map_lookup(&calls, &call);
    }
    if (times)
        __sync_fetch_and_add(times, 1);
    else
        count(LOST_CALLS);
    return 0;
}

SECTION("tp_btf/sys_exit")
int leave(u64 *context)
{
    struct pt_regs *registers = (void *)context[0];
    u64 number = registers->orig_ax, result = context[1];
    if (number != MMAP && number != MPROTECT && number != PKEY_MPROTECT && number != SETHOSTNAME)
        return 0;
    struct task_struct *task = current_task();
    struct runs *runs = task_storage(&tasks, task, 0, 0);
    if (!runs || (task->thread_info.status & STATUS_COMPAT))
        return 0;
    if (number == MMAP) {
        if (runs->object && result < ERRORS)
            note_pair(MAPPED, runs->program, runs->object);
        runs->object = 0;
    } else if (result != 0) {
        return 0;
    } else if (number == SETHOSTNAME) {
        // Whoever has another host name is not recognised any more.
        count(RENAMED);
    } else if (registers->dx & PROT_EXEC) {
        runs->address = registers->di;
        runs->end = registers->di + registers->si;
        note_areas(runs);
    }
    return 0;
}

SECTION("tp_btf/sched_process_exec")
int execute(u64 *context)
{
    struct task_struct *task = current_task();
    if (!is_inside(task))
        return 0;
    struct note *note = note_of(task->mm->exe_file);
    if (!note)
        return 0;
    __sync_fetch_and_add(&note->executions, 1);
    struct runs *runs = task_storage(&tasks, task, 0, CREATE);
    if (!runs) {
        count(LOST_TASKS);
        return 0;
    }
    if (runs->address)
        count(LOST_AREAS);
    note_pair(EXECUTED, runs->program, note->id);
    runs->program = note->id;
    // The first instruction is the interpreter's, if there is one.
    runs->address = registers_of(task)->ip;
    runs->end = runs->address + 1;
    note_areas(runs);
    return 0;
}

// A child runs what its parent runs until it executes something.
SECTION("tp_btf/sched_process_fork")
int fork(u64 *context)
{
    struct task_struct *parent = (void *)context[0], *child = (void *)context[1];
    struct runs *runs = task_storage(&tasks, parent, 0, 0);
    if (!runs)
        return 0;
    struct runs *inherited = task_storage(&tasks, child, 0, CREATE);
    if (inherited)
        inherited->program = runs->program;
    else
        count(LOST_TASKS);
    return 0;
}

SECTION("tp_btf/sched_process_exit")
int end(u64 *context)
{
    struct runs *runs = task_storage(&tasks, (struct task_struct *)context[0], 0, 0);
    if (runs && runs->address)
        count(LOST_AREAS);
    return 0;
}

// The kernel lets only programs that say this read its memory.
char LICENSE[] SECTION("license") = "Dual MIT/GPL";
