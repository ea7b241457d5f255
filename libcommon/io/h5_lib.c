/* h5_lib - see h5_lib.h: signals, the watch on time and memory, types */
#include "io/h5_lib.h"

#ifdef OVX_HDF5

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "io/lzf.h"
#include "os/file.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TICK_NS 100000000       /* of CPU time, between two looks at a call */
#define TICKS 30                /* that a call may take, beyond what its bytes need; they come back one a call */
#define TICK_BYTES (1 << 20)    /* read and decoded in one, very slowly */
#define LZF 32000
#define LAST_SECONDS 5          /* from a fall to the end of the process */
#define MEMORY_LEAST ((int64_t)64 << 20)

/* AddressSanitizer ends the process when a mapping fails; it has a limit of its own (scripts/fuzz). */
#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { N_FAULT = 4 };
static const int faults[N_FAULT] = { SIGSEGV, SIGBUS, SIGFPE, SIGABRT };

static sigjmp_buf back;
static volatile sig_atomic_t inside, broken, left;
static struct sigaction before[N_FAULT];
static timer_t busy, wall;      /* CPU time of the thread that reads; time since the fall */
static pid_t reader;            /* the thread that they are for, 0 = not watched */
static char last_words[400];
static int64_t memory_most = MEMORY_LEAST;
static struct rlimit was;

int
lib_broken(void)
{
	return broken;
}

/* Nothing here may take the heap's lock. */
static void
last(void)
{
	outfile_signal();
	(void)!write(2, last_words, strlen(last_words));
	_exit(1);
}

static void
fault(int sig)
{
	if (inside && syscall(SYS_gettid) == reader) {
		inside = 0;
		broken = 1;
		siglongjmp(back, 1);
	}
	if (broken)
		last();
	for (int i = 0; i < N_FAULT; i++)       /* not the library's: as if this were not here */
		if (faults[i] == sig)
			sigaction(sig, &before[i], NULL);
	if (sig == SIGABRT)
		raise(sig);                     /* the others happen again by themselves */
}

static void
tick(int sig)
{
	(void)sig;
	if (inside && --left < 0) {
		inside = 0;
		broken = 1;
		siglongjmp(back, 1);
	}
}

static void
out_of_time(int sig)
{
	(void)sig;
	last();
}

static int
set_timer(timer_t t, time_t sec, long ns, int again)
{
	struct itimerspec i = { .it_value = { sec, ns } };

	if (again)
		i.it_interval = i.it_value;
	return timer_settime(t, 0, &i, NULL);
}

/* Watches the calls of this thread.  SIGVTALRM and SIGRTMIN are used by nothing else. */
static void
watch(void)
{
	static char stack[1 << 16];             /* for a fault by endless recursion */
	struct sigaction a = { .sa_handler = fault, .sa_flags = SA_NODEFER | SA_ONSTACK };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID };
	stack_t s;
	pid_t me = (pid_t)syscall(SYS_gettid);

	if (reader == me)
		return;
	if (reader) {
		timer_delete(busy);
		timer_delete(wall);
	} else {
		sigemptyset(&a.sa_mask);
		for (int i = 0; i < N_FAULT; i++)
			sigaction(faults[i], &a, &before[i]);
		a.sa_flags |= SA_RESTART;
		a.sa_handler = tick;
		sigaction(SIGVTALRM, &a, NULL);
		a.sa_handler = out_of_time;
		sigaction(SIGRTMIN, &a, NULL);
		if (sigaltstack(NULL, &s) == 0 && s.ss_flags & SS_DISABLE)
			sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
	}
	reader = me;
	ev.sigev_notify_thread_id = me;
	ev.sigev_signo = SIGVTALRM;
	if (timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &busy) == 0)
		set_timer(busy, 0, TICK_NS, 1);
	ev.sigev_signo = SIGRTMIN;
	timer_create(CLOCK_MONOTONIC, &ev, &wall);
}

/* Bytes of data of this process, or -1. */
static int64_t
data_bytes(void)
{
	char b[200];
	long long v = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	b[n] = 0;
	return sscanf(b, "%*s %*s %*s %*s %*s %lld", &v) == 1 ? v * sysconf(_SC_PAGESIZE) : -1;
}

/* What the library asks for beyond lib_memory() it does not get, which it reports.  1 when set. */
static int
limit(void)
{
	struct rlimit r;
	int64_t now;

	if (SANITIZED || !reader || getrlimit(RLIMIT_DATA, &was) || (now = data_bytes()) < 0)
		return 0;
	r = was;
	if (r.rlim_cur != RLIM_INFINITY && (int64_t)r.rlim_cur < now + memory_most)
		return 0;
	r.rlim_cur = (rlim_t)(now + memory_most);
	return setrlimit(RLIMIT_DATA, &r) == 0;
}

/* Every call brings a little time along, so that a file of many slow places comes to its end too. */
static void
enter(void)
{
	left = left + 1;
	inside = 1;
}

static void
leave(void)
{
	inside = 0;
	if (left > TICKS)
		left = TICKS;
}

/* After a fall: the end must come now. */
static void
fell(void)
{
	set_timer(wall, LAST_SECONDS, 0, 0);
}

/* H5NAME between the marks. */
#define DEFINE_CALL(type, fail, name, params, args) \
static type \
call_##name params \
{ \
	type r; \
	if (sigsetjmp(back, 0)) { \
		fell(); \
		return fail; \
	} \
	enter(); \
	r = H5##name args; \
	leave(); \
	return r; \
}

#define DEFINE_MEMORY(type, fail, name, params, args) \
DEFINE_CALL(type, fail, name, params, args) \
type \
lib_##name params \
{ \
	return broken ? fail : call_##name args; \
}
LIB_MEMORY(DEFINE_MEMORY)

#define DEFINE_FILE(type, fail, name, params, args) \
DEFINE_CALL(type, fail, name, params, args) \
type \
lib_##name params \
{ \
	type r; \
	int set; \
	if (broken) \
		return fail; \
	set = limit(); \
	r = call_##name args; \
	if (set) \
		setrlimit(RLIMIT_DATA, &was); \
	return r; \
}
LIB_FILE(DEFINE_FILE)

void
lib_allow(int64_t bytes)
{
	left = left + (sig_atomic_t)(bytes / TICK_BYTES < 1 << 24 ? bytes / TICK_BYTES : 1 << 24);
}

int64_t
lib_memory(void)
{
	return memory_most;
}

void
h5_memory(int64_t bytes)
{
	memory_most = bytes > MEMORY_LEAST ? bytes : MEMORY_LEAST;
}

int
h5_sound(const char *path, struct err *e)
{
	if (!broken)
		return e->code;
	e->code = 0;
	return err_set(e, ERR_DATA, "%.300s: damaged: the HDF5 library fails on it", path);
}

/* Value 2 of the filter, where there is one, is the size of a chunk: the library takes that much
 * from the buffer, whatever came out. */
static size_t
lzf_filter(unsigned flags, size_t n_value, const unsigned value[], size_t n, size_t *cap, void **buf)
{
	size_t most = flags & H5Z_FLAG_REVERSE ? lzf_length(*buf, n) : 0, got;
	void *out;

	if (most == 0)
		return 0;
	if (n_value >= 3 && value[2] > most)
		most = value[2];
	out = H5allocate_memory(most, 1);
	if (!out)
		return 0;
	got = lzf_decode(*buf, n, out, most);
	if (got == 0) {
		H5free_memory(out);
		return 0;
	}
	H5free_memory(*buf);
	*buf = out;
	*cap = most;
	return got;
}

void
lib_start(const char *path)
{
	static const H5Z_class2_t lzf = { H5Z_CLASS_T_VERS, LZF, 1, 1, "lzf", NULL, NULL, lzf_filter };

	if (broken)
		return;
	/* At exit it would try again to write what could not be written. */
	H5dont_atexit();
	H5open();
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	if (H5Zfilter_avail(LZF) <= 0)
		H5Zregister(&lzf);
	if (!path)
		return;
	left = TICKS;
	snprintf(last_words, sizeof last_words, "%s: %.300s: damaged: the HDF5 library fails on it\n",
	    program_invocation_short_name, path);
	watch();
}

/* --- types ----------------------------------------------------------------- */

hid_t
lib_bool_type(void)
{
	hid_t t = broken ? -1 : lib_Tenum_create(H5T_STD_I8LE);
	int8_t v = 0;

	lib_Tenum_insert(t, "FALSE", &v);
	v = 1;
	lib_Tenum_insert(t, "TRUE", &v);
	return t;
}

hid_t
lib_text_type(void)
{
	hid_t t = broken ? -1 : lib_Tcopy(H5T_C_S1);

	lib_Tset_size(t, H5T_VARIABLE);
	lib_Tset_cset(t, H5T_CSET_UTF8);
	return t;
}

/* A type to be closed; stored: as it goes into a file. */
hid_t
lib_type(int mem, int stored)
{
	if (broken)
		return -1;
	switch (mem) {
	case HM_I8:
		return lib_Tcopy(stored ? H5T_STD_I8LE : H5T_NATIVE_INT8);
	case HM_U8:
		return lib_Tcopy(stored ? H5T_STD_U8LE : H5T_NATIVE_UINT8);
	case HM_I16:
		return lib_Tcopy(stored ? H5T_STD_I16LE : H5T_NATIVE_INT16);
	case HM_I32:
		return lib_Tcopy(stored ? H5T_STD_I32LE : H5T_NATIVE_INT32);
	case HM_I64:
		return lib_Tcopy(stored ? H5T_STD_I64LE : H5T_NATIVE_INT64);
	case HM_F32:
		return lib_Tcopy(stored ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT);
	case HM_F64:
		return lib_Tcopy(stored ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
	default:
		return lib_bool_type();
	}
}

int
lib_class(hid_t t)
{
	char *a, *b;
	int yes;

	switch (lib_Tget_class(t)) {
	case H5T_INTEGER:
		return HC_INT;
	case H5T_FLOAT:
		return HC_REAL;
	case H5T_STRING:
		return HC_TEXT;
	case H5T_COMPOUND:
		return HC_COMPOUND;
	case H5T_ENUM:
		if (lib_Tget_nmembers(t) != 2)
			return HC_OTHER;
		a = lib_Tget_member_name(t, 0);
		b = lib_Tget_member_name(t, 1);
		yes = a && b && !strcmp(a, "FALSE") && !strcmp(b, "TRUE");
		lib_free_memory(a);
		lib_free_memory(b);
		return yes ? HC_BOOL : HC_OTHER;
	default:
		return HC_OTHER;
	}
}

/* The type that texts of a stored type are read as. */
hid_t
lib_text_memory(hid_t stored)
{
	hid_t t;

	if (lib_Tis_variable_str(stored) <= 0)
		return lib_Tcopy(stored);
	t = lib_text_type();
	lib_Tset_cset(t, lib_Tget_cset(stored));
	return t;
}

int64_t
lib_take_texts(hid_t t, hid_t space, void *buf, int64_t n, struct strs *out)
{
	int64_t bytes = 0;

	if (lib_Tis_variable_str(t) > 0) {
		char **s = buf;

		for (int64_t i = 0; i < n; i++) {
			size_t len = s[i] ? strlen(s[i]) : 0;

			strs_add(out, s[i] ? s[i] : "", len);
			bytes += (int64_t)len;
		}
		lib_Dvlen_reclaim(t, space, H5P_DEFAULT, buf);
	} else {
		size_t w = lib_Tget_size(t);
		int blanks = lib_Tget_strpad(t) == H5T_STR_SPACEPAD;

		for (int64_t i = 0; i < n; i++) {
			const char *s = (const char *)buf + (size_t)i * w;
			size_t len = strnlen(s, w);

			while (blanks && len && s[len - 1] == ' ')
				len--;
			strs_add(out, s, len);
		}
	}
	return bytes;
}

#endif
