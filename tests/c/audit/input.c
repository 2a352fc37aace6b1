/*
 * A target of a fuzzer's that crashes within its second input.
 */
#include <objbase.h>
#include <oleauto.h>

int main(void) {
    const olemem_session first = olemem_input_begin();
    SysFreeString(SysAllocString(OLESTR("freed")));
    olemem_input_end(first);

    (void)olemem_input_begin();
    (void)SysAllocString(OLESTR("held"));
    *(int volatile *)8 = 1;
    return 0;
}
