/* A test in C. `status_test leak` runs into the component's mistake. */
#include "status.h"

#include <stdio.h>

static void ready(void)
{
    BSTR text = NULL;
    if (SUCCEEDED(get_StatusText(&text)))
        printf("%u units\n", SysStringLen(text));
    SysFreeString(text);
}

static void tab(void)
{
    BSTR text = NULL;
    status_text_of_tab(7, &text);
    SysFreeString(text);
}

int main(int argc, char **argv)
{
    olemem_session session = olemem_session_begin(NULL);
    (void)argv;
    if (argc > 1)
        tab();
    else
        ready();
    /* Where it is not clean, the story is on standard error now. */
    return olemem_session_check(session) ? 0 : 1;
}
