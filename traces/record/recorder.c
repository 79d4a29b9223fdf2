/* recorder.c: writes what a program allocates into the shared raw recording, from inside it.
 *
 * The program must not notice: no file descriptor stays open (a mapped chunk is extended to the
 * next one by mremap, which needs none), nothing is allocated, errno is not touched, and writing an
 * entry costs one uncontended lock and 32 bytes of shared memory. Everything here lives in somebody
 * else's process, where state can only be static.
 */
#include "traces/record/recorder.h"

#include "traces/record/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

/* What this process is. The word lies in a page that fork empties, so that a child, however it was
 * made, finds PHASE_NEW; after vfork, parent and child share it, as they share the heap. */
enum phase {
    PHASE_NEW,
    PHASE_STARTING,
    PHASE_RECORDING,
    PHASE_FULL, /* no room left: calls are only counted */
    PHASE_OFF,
};

static _Atomic uint32_t first_phase;

static struct {
    _Atomic(_Atomic uint32_t *) phase; /* first_phase until attached */
    _Atomic uint32_t lock;             /* 0 free, 1 taken, 2 taken and others sleep */
    struct log_session *session;
    char *chunk;       /* the one mapped chunk of this image */
    uint64_t chunk_nr; /* where it lies in the file, in chunks */
    uint64_t used;     /* bytes of the chunk */
    uint64_t entries;  /* written by this image */
    uint32_t image;
    uint32_t seq;     /* number of the image's next chunk */
    uint32_t threads; /* serial numbers given; a forked child goes on counting */
    bool full;
    pthread_key_t exit_key;
    uint32_t command_length;
    char path[64];
    char command[sizeof((struct log_image *)0)->command];
} self = {.phase = &first_phase};

/* initial-exec: reading it never allocates. */
static __thread struct {
    uint32_t serial; /* 0: has not called anything yet */
    bool busy;       /* inside the recorder: a signal handler must not enter it again */
} thread __attribute__((tls_model("initial-exec")));

/* ---- lock ---- */

static void lock(void)
{
    uint32_t was = 0;
    if (atomic_compare_exchange_strong_explicit(&self.lock, &was, 1, memory_order_acquire,
                                                memory_order_relaxed))
        return;
    for (int spin = 0; spin < 100; spin++) {
        __builtin_ia32_pause();
        was = 0;
        if (atomic_compare_exchange_weak_explicit(&self.lock, &was, 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
    }
    while (atomic_exchange_explicit(&self.lock, 2, memory_order_acquire))
        sys_futex_wait(&self.lock, 2);
}

static void unlock(void)
{
    if (atomic_exchange_explicit(&self.lock, 0, memory_order_release) == 2)
        sys_futex_wake(&self.lock);
}

/* ---- chunks ---- */

/* By way of the present chunk: works with every file descriptor closed, after chroot, and under a
 * filter of system calls that allows what realloc itself uses. */
static char *map_beyond(uint64_t chunk_nr)
{
    if (!self.chunk)
        return NULL;
    uint64_t distance = (chunk_nr - self.chunk_nr) * LOG_CHUNK;
    char *at = sys_map_again(self.chunk, distance + LOG_CHUNK);
    if (!at)
        return NULL;
    sys_unmap(at, distance);
    return at + distance;
}

static char *map_by_path(uint64_t chunk_nr)
{
    int fd = sys_open(self.path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *at = sys_map(fd, chunk_nr * LOG_CHUNK, LOG_CHUNK);
    sys_close(fd);
    return at;
}

/* Makes the pages exist now: on a full disk a later store would end in SIGBUS. Kernels older than
 * 5.14 do not know the advice (EINVAL) and keep that risk. */
static bool populate(char *at)
{
    int64_t result;
    do {
        result = sys_advise(at, LOG_CHUNK, MADV_POPULATE_WRITE);
    } while (result == -EINTR || result == -EAGAIN);
    return result >= 0 || result == -EINVAL;
}

static char *map_chunk(uint64_t chunk_nr)
{
    char *at = map_beyond(chunk_nr);
    if (!at)
        at = map_by_path(chunk_nr);
    if (!at || populate(at))
        return at;
    sys_unmap(at, LOG_CHUNK);
    return NULL;
}

static bool next_chunk(void)
{
    uint64_t chunk_nr = atomic_fetch_add(&self.session->chunks, 1);
    char *at = chunk_nr < self.session->limit ? map_chunk(chunk_nr) : NULL;
    if (!at)
        return false;
    if (self.chunk)
        sys_unmap(self.chunk, LOG_CHUNK);
    self.chunk = at;
    self.chunk_nr = chunk_nr;
    self.used = self.seq ? LOG_NEXT : LOG_FIRST;
    struct log_chunk *head = (struct log_chunk *)(void *)at;
    head->seq = self.seq++;
    head->image = self.image;
    return true;
}

static void stop_full(void)
{
    self.full = true;
    atomic_fetch_add(&self.session->full, 1);
    atomic_store(self.phase, PHASE_FULL);
}

/* ---- images ---- */

/* Says who this image is, in its first chunk. parent 0: begun by exec. */
static bool open_image(uint32_t parent, uint64_t fork_at)
{
    self.image = atomic_fetch_add(&self.session->images, 1) + 1;
    self.seq = 0;
    self.entries = 0;
    if (!next_chunk())
        return false;
    struct log_image *image = (struct log_image *)(void *)(self.chunk + sizeof(struct log_chunk));
    image->parent = parent;
    image->fork = fork_at;
    image->pid = sys_pid();
    for (uint32_t i = 0; i < self.command_length; i++)
        image->command[i] = self.command[i];
    image->length = self.command_length;
    return true;
}

static void read_command(void)
{
    int fd = sys_open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    int64_t n = sys_read(fd, self.command, sizeof(self.command));
    self.command_length = n > 0 ? (uint32_t)n : 0;
    sys_close(fd);
}

/* Not getenv: programs (shells, for one) bring their own. */
static bool read_path(void)
{
    static const char key[] = LOG_ENV "=";
    for (char **e = environ; *e; e++) {
        size_t k = 0;
        while (key[k] && (*e)[k] == key[k])
            k++;
        if (key[k])
            continue;
        size_t n = 0;
        for (; (*e)[k + n] && n + 1 < sizeof(self.path); n++)
            self.path[n] = (*e)[k + n];
        return !(*e)[k + n];
    }
    return false;
}

static struct log_session *map_session(void)
{
    int fd = sys_open(self.path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct log_session *session = sys_map(fd, 0, PAGE_BYTES);
    sys_close(fd);
    return session && session->magic == LOG_MAGIC ? session : NULL;
}

static void thread_ends(void *value)
{
    (void)value;
    recorder_note(LOG_THREAD_EXIT, NULL, 0, 0);
}

/* The first call in an image begun by exec. */
static enum phase attach(void)
{
    if (!environ)
        return PHASE_NEW; /* the C library has not begun yet */
    if (!read_path())
        return PHASE_OFF;
    struct log_session *session = map_session();
    _Atomic uint32_t *page = sys_map(-1, 0, PAGE_BYTES);
    if (!session || !page || sys_advise((void *)page, PAGE_BYTES, MADV_WIPEONFORK) < 0)
        return PHASE_OFF;
    if (pthread_key_create(&self.exit_key, thread_ends))
        return PHASE_OFF;
    read_command();
    self.session = session;
    atomic_store(page, PHASE_STARTING);
    atomic_store(&self.phase, page);
    return open_image(0, 0) ? PHASE_RECORDING : PHASE_FULL;
}

/* The first call in a forked child: a new image, whose past is the parent's up to the fork. The
 * counts are copies as of the fork, since they lie in private memory. */
static enum phase adopt(void)
{
    atomic_store(&self.lock, 0); /* another thread of the parent may have held it */
    if (self.full)
        return PHASE_FULL;
    return open_image(self.image, self.entries) ? PHASE_RECORDING : PHASE_FULL;
}

/* Out of line: once per process. Returns whether entries can be written. */
static __attribute__((noinline)) bool start(void)
{
    uint32_t was = PHASE_NEW;
    if (atomic_compare_exchange_strong(self.phase, &was, PHASE_STARTING)) {
        enum phase now = self.session ? adopt() : attach();
        if (now == PHASE_FULL && !self.full)
            stop_full();
        atomic_store(self.phase, now);
    }
    while (atomic_load(self.phase) == PHASE_STARTING)
        __builtin_ia32_pause();
    if (atomic_load(self.phase) == PHASE_FULL)
        atomic_fetch_add(&self.session->lost, 1);
    return atomic_load(self.phase) == PHASE_RECORDING;
}

static __attribute__((constructor)) void begin(void)
{
    start();
}

/* ---- entries ---- */

static struct log_entry *next_entry(void)
{
    if (self.used + sizeof(struct log_entry) > LOG_CHUNK && !next_chunk()) {
        stop_full();
        return NULL;
    }
    struct log_entry *entry = (struct log_entry *)(void *)(self.chunk + self.used);
    self.used += sizeof(*entry);
    self.entries++;
    return entry;
}

static void write_entry(enum log_kind kind, const void *ptr, uint64_t a, uint64_t b)
{
    lock();
    if (!thread.serial)
        thread.serial = ++self.threads;
    struct log_entry *entry = self.full ? NULL : next_entry();
    if (entry) {
        entry->ptr = (uint64_t)(uintptr_t)ptr;
        entry->a = a;
        entry->b = b;
        entry->thread = thread.serial;
        atomic_store_explicit(&entry->kind, kind, memory_order_release);
    }
    unlock();
}

void recorder_note(enum log_kind kind, const void *ptr, uint64_t a, uint64_t b)
{
    if (__builtin_expect(thread.busy, 0)) {
        if (self.session)
            atomic_fetch_add(&self.session->nested, 1);
        return;
    }
    thread.busy = true;
    bool on = atomic_load_explicit(self.phase, memory_order_acquire) == PHASE_RECORDING || start();
    bool new_thread = on && !thread.serial;
    if (on)
        write_entry(kind, ptr, a, b);
    if (__builtin_expect(new_thread, 0))
        pthread_setspecific(self.exit_key, &self);
    thread.busy = false;
}
