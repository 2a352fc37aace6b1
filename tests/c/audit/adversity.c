/*
 * A process in adversity: one case a run, named by the argument. What the audit must say of each is said by the test
 * that starts this program.
 */
#define _GNU_SOURCE
#include <objbase.h>
#include <oleauto.h>

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The compiler is to know nothing about the pointers, or it would see what is wrong with them. */
#define UNKNOWN(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

static BSTR kept;

static void lose(void) {
    kept = SysAllocString(OLESTR("lost"));
    kept = NULL;
}

static __attribute__((noinline)) int overflow(int depth) {
    char volatile frame[4096];
    frame[0] = (char)depth;
    if (depth < 0) {
        return 0;
    }
    return overflow(depth + 1) + frame[0];
}

/* ------------------------------------------------------------------- forks */

static void *thread_begins(void *nothing) {
    SysFreeString(SysAllocString(OLESTR("first")));
    return nothing;
}

/* A child is forked while another thread is in its first allocation, or about to be. It must be able to allocate. */
static int fork_in_the_first(unsigned microseconds) {
    pthread_t thread;
    int status;
    pid_t child;
    if (pthread_create(&thread, NULL, thread_begins, NULL) != 0) {
        return 1;
    }
    usleep(microseconds);
    child = fork();
    if (child == 0) {
        alarm(60);
        SysFreeString(SysAllocString(OLESTR("second")));
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return 1;
    }
    pthread_join(thread, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* What is damaged before a fork, and freed on both sides; and what the child damages itself. */
static int fork_after_damage(void) {
    BSTR over = SysAllocString(OLESTR("over")), ends = SysAllocString(OLESTR("ends")), long_one = SysAllocString(OLESTR("long"));
    BSTR sound = SysAllocString(OLESTR("sound"));
    char *under = CoTaskMemAlloc(16);
    pid_t child;
    int status;
    UNKNOWN(over);
    UNKNOWN(under);
    over[5] = 0x41;
    under[-1] = 0x41;
    ends[4] = 0x41;
    ((unsigned *)(void *)long_one)[-1] = 100;
    child = fork();
    if (child == 0) {
        UNKNOWN(sound);
        sound[6] = 0x41;
        SysFreeString(sound);
    }
    SysFreeString(over);
    SysFreeString(ends);
    SysFreeString(long_one);
    CoTaskMemFree(under);
    if (child == 0) {
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return 1;
    }
    SysFreeString(sound);
    return 0;
}

/* ----------------------------------------------------------------- signals */

static sigjmp_buf back;

static void comes_back(int signal) {
    siglongjmp(back, signal);
}

/* A fault that the program expects and outlives, and one of the audit's pages later. */
static int fault_and_overrun(void) {
    struct sigaction action;
    char *block;
    memset(&action, 0, sizeof action);
    action.sa_handler = comes_back;
    sigaction(SIGSEGV, &action, NULL);
    block = CoTaskMemAlloc(32);
    if (sigsetjmp(back, 1) == 0) {
        *(int volatile *)8 = 1;
    }
    UNKNOWN(block);
    if (sigsetjmp(back, 1) == 0) {
        block[32] = 1;
    }
    CoTaskMemFree(block);
    return 0;
}

static void writes_and_leaves(int signal) {
    static char const text[] = "the program's own handler\n";
    (void)signal;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
        _exit(3);
    }
    _exit(42);
}

/* The program has a small stack for signals, below which nothing may be touched, and runs out of its own. */
static int on_a_small_stack(size_t bytes) {
    struct sigaction action;
    stack_t stack;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, page, PROT_NONE) != 0) {
        return 1;
    }
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = pages + page;
    stack.ss_size = bytes;
    memset(&action, 0, sizeof action);
    action.sa_handler = writes_and_leaves;
    action.sa_flags = SA_ONSTACK;
    if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGSEGV, &action, NULL) != 0) {
        return 1;
    }
    kept = SysAllocString(OLESTR("held"));
    return overflow(0);
}

/* -------------------------------------------------------------------- ends */

/* The report must not go where standard error was. */
static int few_descriptors(char const *name, int is_crash) {
    struct rlimit most = {64, 64};
    FILE *file;
    if (setrlimit(RLIMIT_NOFILE, &most) != 0) {
        return 1;
    }
    lose();
    close(2);
    file = fopen(name, "w");
    if (file == NULL || fileno(file) != 2) {
        return 1;
    }
    if (fputs("data", file) < 0 || fflush(file) != 0) {
        return 1;
    }
    if (is_crash) {
        abort();
    }
    return 0;
}

static int without_memory(void) {
    struct rlimit most = {200 << 20, 200 << 20};
    if (setrlimit(RLIMIT_AS, &most) != 0) {
        return 1;
    }
    while (SysAllocString(OLESTR("one of many")) != NULL) {
    }
    return 0;
}

/* They must be told before so many seconds of processor time are over. */
static int many_leaks(int leaks) {
    struct rlimit most = {6, 6};
    if (setrlimit(RLIMIT_CPU, &most) != 0) {
        return 1;
    }
    for (; leaks > 0; leaks -= 1) {
        lose();
    }
    return 0;
}

/* A session that nobody ends. */
static int session_left(int is_sound) {
    olemem_session_begin(NULL);
    if (!is_sound) {
        BSTR text = SysAllocString(OLESTR("in the session")), again = text;
        UNKNOWN(again);
        SysFreeString(text);
        SysFreeString(again);
        lose();
    }
    return 0;
}

/* A name that is a type to who decodes the names of C++. */
static void v(void) {
    kept = SysAllocString(OLESTR("held"));
}

/* ----------------------------------------------------- ends without a report */

static void twice(void) {
    BSTR text = SysAllocString(OLESTR("freed twice")), again = text;
    UNKNOWN(again);
    SysFreeString(text);
    SysFreeString(again);
}

static int err_and_leave(void) {
    twice();
    _exit(0);
}

/* As most forked children do it. */
static int fork_errs_and_leaves(void) {
    int status;
    pid_t child;
    SysFreeString(SysAllocString(OLESTR("used")));
    child = fork();
    if (child == 0) {
        err_and_leave();
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : 1;
}

static void *thread_errs(void *nothing) {
    twice();
    return nothing;
}

/* A thread with as little stack as there may be; that the process is watched begins on it. */
static int err_on_a_small_stack(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    return pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0 ||
           pthread_create(&thread, &attributes, thread_errs, NULL) != 0 || pthread_join(thread, NULL) != 0;
}

/* As on a full disk, or where the folder is out of reach: nothing more can be written to a file. */
static int write_no_more(void) {
    struct rlimit const none = {0, 0};
    SysFreeString(SysAllocString(OLESTR("used")));
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &none) != 0) {
        return 1;
    }
    lose();
    return 0;
}

int main(int count, char **arguments) {
    char const *what = count > 1 ? arguments[1] : "";
    char const *argument = count > 2 ? arguments[2] : "";
    if (strcmp(what, "fork-in-the-first") == 0) {
        return fork_in_the_first((unsigned)atoi(argument));
    } else if (strcmp(what, "fork-after-damage") == 0) {
        return fork_after_damage();
    } else if (strcmp(what, "null-out") == 0) {
        VarBstrCat(NULL, NULL, NULL);
    } else if (strcmp(what, "null-out-malloc") == 0) {
        CoGetMalloc(1, NULL);
    } else if (strcmp(what, "null-out-string") == 0) {
        SysReAllocString(NULL, OLESTR("text"));
    } else if (strcmp(what, "own-sessions") == 0) {
        for (int i = 0; i < 3; i++) {
            olemem_session own = olemem_session_begin(NULL);
            twice();
            olemem_report_release(olemem_session_end(own));
        }
        puts("went on");
    } else if (strcmp(what, "short-name") == 0) {
        v();
    } else if (strcmp(what, "short-name-abort") == 0) {
        v();
        abort();
    } else if (strcmp(what, "signal") == 0) {
        /* A background job of a shell, or what nohup started, has some ignored. */
        signal(atoi(argument), SIG_DFL);
        kept = SysAllocString(OLESTR("held"));
        raise(atoi(argument));
    } else if (strcmp(what, "fault-and-overrun") == 0) {
        return fault_and_overrun();
    } else if (strcmp(what, "overflow") == 0) {
        kept = SysAllocString(OLESTR("held"));
        return overflow(0);
    } else if (strcmp(what, "small-stack") == 0) {
        return on_a_small_stack((size_t)atoi(argument));
    } else if (strcmp(what, "few-descriptors") == 0) {
        return few_descriptors(argument, 0);
    } else if (strcmp(what, "few-descriptors-abort") == 0) {
        return few_descriptors(argument, 1);
    } else if (strcmp(what, "many-leaks") == 0) {
        return many_leaks(atoi(argument));
    } else if (strcmp(what, "session-left") == 0) {
        return session_left(0);
    } else if (strcmp(what, "session-left-sound") == 0) {
        return session_left(1);
    } else if (strcmp(what, "errs-and-leaves") == 0) {
        return err_and_leave();
    } else if (strcmp(what, "fork-errs-and-leaves") == 0) {
        return fork_errs_and_leaves();
    } else if (strcmp(what, "errs-on-a-small-stack") == 0) {
        return err_on_a_small_stack();
    } else if (strcmp(what, "write-no-more") == 0) {
        return write_no_more();
    } else if (strcmp(what, "without-memory") == 0) {
        return without_memory();
    } else {
        puts("no such case");
        return 2;
    }
    return 0;
}
