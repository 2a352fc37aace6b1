/*
 * What may become of a process: one case a run, named by the argument. What the audit must say of each is said by the
 * test that starts this program.
 */
#define _GNU_SOURCE
#include <objbase.h>
#include <oleauto.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The compiler is to know nothing about the pointers, or it would see what is wrong with them. */
#define UNKNOWN(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

static BSTR kept;

static void lose(void) {
    kept = SysAllocString(OLESTR("lost"));
    kept = NULL;
}

static void hold(void) {
    kept = SysAllocString(OLESTR("held"));
}

static void use(void) {
    SysFreeString(SysAllocString(OLESTR("used")));
}

static void twice(void) {
    BSTR text = SysAllocString(OLESTR("freed twice")), again = text;
    UNKNOWN(again);
    SysFreeString(text);
    SysFreeString(again);
}

static void *thread_loses(void *nothing) {
    lose();
    return nothing;
}

static void *thread_stays(void *nothing) {
    use();
    for (;;) {
        pause();
    }
    return nothing;
}

static void in_thread(void *(*what)(void *), int waits) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, what, NULL) != 0) {
        abort();
    }
    if (waits) {
        pthread_join(thread, NULL);
    }
}

/* The child of a fork does `what`, and exits if that returns. */
static int in_child(void (*what)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        what();
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        abort();
    }
    return status;
}

static void nothing(void) {
}

static void free_kept(void) {
    SysFreeString(kept);
}

static void use_and_die(void) {
    use();
    raise(SIGKILL);
}

static void use_and_leave(void) {
    use();
    _exit(0);
}

static void crash(void) {
    *(int volatile *)8 = 1;
}

static __attribute__((noinline)) int overflow(int depth) {
    char volatile frame[4096];
    frame[0] = (char)depth;
    if (depth < 0) {
        return 0;
    }
    return overflow(depth + 1) + frame[0];
}

static void chained(int signal) {
    static char const text[] = "the program's own handler\n";
    (void)signal;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
        _exit(3);
    }
    _exit(7);
}

static void at_the_end(void) {
    SysFreeString(kept);
}

/* As a program does that has a runtime without a main function of its own. */
static __attribute__((destructor)) void destroy(void) {
    if (getenv("FREE_LATE") != NULL) {
        SysFreeString(kept);
    }
}

static void overrun(void) {
    BSTR text = SysAllocString(OLESTR("four"));
    UNKNOWN(text);
    text[5] = 0x41;
    SysFreeString(text);
}

/* Beyond what the alignment of a block leaves behind its end. */
static void stray(void) {
    BSTR text = SysAllocString(OLESTR("four"));
    UNKNOWN(text);
    text[20] = 0x41;
    SysFreeString(text);
}

int main(int count, char **arguments) {
    char const *what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "clean") == 0) {
        use();
        return 5;
    } else if (strcmp(what, "leak") == 0) {
        lose();
    } else if (strcmp(what, "leaks") == 0) {
        int i;
        for (i = 0; i < 3; i += 1) {
            lose();
        }
        CoTaskMemAlloc(10);
    } else if (strcmp(what, "double-free") == 0) {
        twice();
    } else if (strcmp(what, "overrun") == 0) {
        overrun();
    } else if (strcmp(what, "stray") == 0) {
        stray();
    } else if (strcmp(what, "warning") == 0) {
        BSTR text = SysAllocString(OLESTR("four"));
        UNKNOWN(text);
        text[4] = 0x41;
        SysFreeString(text);
    } else if (strcmp(what, "thread") == 0) {
        in_thread(thread_loses, 1);
    } else if (strcmp(what, "thread-stays") == 0) {
        in_thread(thread_stays, 0);
        use();
    } else if (strcmp(what, "fork") == 0) {
        /* The parent frees what it held; the child, which inherits it, does not. */
        hold();
        in_child(lose);
        free_kept();
    } else if (strcmp(what, "fork-quiet") == 0) {
        hold();
        in_child(nothing);
        in_child(free_kept);
        free_kept();
    } else if (strcmp(what, "fork-late") == 0) {
        int status;
        twice();
        status = in_child(overrun);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    } else if (strcmp(what, "fork-killed") == 0) {
        use();
        in_child(use_and_die);
    } else if (strcmp(what, "fork-leaves") == 0) {
        use();
        in_child(use_and_leave);
    } else if (strcmp(what, "fork-crashes") == 0) {
        use();
        in_child(crash);
    } else if (strcmp(what, "exec") == 0) {
        if (count > 2) {
            arguments[1] = arguments[0];
            execv(arguments[0], arguments + 1);
        }
        return 1;
    } else if (strcmp(what, "exit") == 0) {
        lose();
        exit(3);
    } else if (strcmp(what, "_exit") == 0) {
        lose();
        _exit(0);
    } else if (strcmp(what, "quick_exit") == 0) {
        lose();
#if defined(__linux__)
        quick_exit(0);
#else
        _exit(0);
#endif
    } else if (strcmp(what, "abort") == 0) {
        hold();
        abort();
    } else if (strcmp(what, "segv") == 0) {
        twice();
        hold();
        crash();
    } else if (strcmp(what, "kill") == 0) {
        hold();
        raise(SIGKILL);
    } else if (strcmp(what, "term") == 0) {
        hold();
        raise(SIGTERM);
    } else if (strcmp(what, "reuses-stderr") == 0) {
        use();
        close(2);
        FILE *file = count > 2 ? fopen(arguments[2], "w") : NULL;
        if (file == NULL || fileno(file) != 2)
            return 1;
        lose();
        return fputs("data", file) >= 0 && fflush(file) == 0 ? 0 : 1;
    } else if (strcmp(what, "wait") == 0) {
        hold();
        puts("ready");
        fflush(stdout);
        pause();
    } else if (strcmp(what, "overflow") == 0) {
        hold();
        return overflow(0);
    } else if (strcmp(what, "handler") == 0) {
        signal(SIGSEGV, chained);
        hold();
        crash();
    } else if (strcmp(what, "atexit") == 0) {
        atexit(at_the_end);
        hold();
    } else if (strcmp(what, "destructor") == 0) {
        setenv("FREE_LATE", "1", 1);
        hold();
    } else if (strcmp(what, "chdir") == 0) {
        use();
        if (chdir("/") != 0) {
            return 1;
        }
        lose();
    } else if (strcmp(what, "out-of-memory") == 0) {
        BSTR first = SysAllocString(OLESTR("first"));
        BSTR second = SysAllocString(OLESTR("second"));
        printf("%d %d\n", first != NULL, second != NULL);
        SysFreeString(first);
        SysFreeString(second);
    } else if (strcmp(what, "prints") == 0) {
        lose();
        printf("not flushed");
    } else {
        puts("no such case");
        return 2;
    }
    return 0;
}
