// Tests in C++, without a framework.
#include "status.h"

#include <cstdio>
#include <exception>

static void require(bool condition, const char *what)
{
    if (!condition)
        throw std::runtime_error(what);
}

static void the_text_is_ready()
{
    olemem::session session;
    olemem::bstr text;
    require(SUCCEEDED(get_StatusText(text.put())), "get_StatusText");
    require(text == u"Ready", "the text");
    text.reset();
    session.assert_clean();
}

static void the_text_of_a_tab_leaks()
{
    olemem::session session;
    olemem::bstr text;
    require(SUCCEEDED(status_text_of_tab(7, text.put())), "status_text_of_tab");
    require(text.to_utf8() == "Tab 7", "the text");
    text.reset();
    require(session.count("leak") == 1 && session.count() == 1, "one leak, and nothing else");
}

int main()
{
    try {
        the_text_is_ready();
        the_text_of_a_tab_leaks();
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
