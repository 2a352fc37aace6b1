/* The component: a browser's status text. */
#ifndef STATUS_H
#define STATUS_H

#include <windows.h>
#include <oleauto.h>

EXTERN_C_START

/* [out] the text of the status bar, which the caller frees. */
HRESULT get_StatusText(BSTR *text);

/* The same for a tab, 0 to 9. With the mistake that the tests are here to find: it builds the text twice. */
HRESULT status_text_of_tab(int tab, BSTR *text);

EXTERN_C_END

#endif
