/* The guard of the C++17 part of olemem.h that makes allocations fail. With exceptions and without. */
#include <windows.h>

#include <oleauto.h>

#include <stdexcept>
#include <type_traits>

#include "check.h"

static_assert(!std::is_copy_constructible_v<olemem::failing>);
static_assert(!std::is_move_constructible_v<olemem::failing>);
static_assert(!std::is_convertible_v<int, olemem::failing>);

static bool makes_one() {
    BSTR text = SysAllocString(u"text");
    SysFreeString(text);
    return text != nullptr;
}

int main() {
    {
        olemem::failing failing(2);
        CHECK(!failing.has_failed());
        CHECK(makes_one() && !makes_one() && makes_one());
        CHECK(failing.has_failed() && failing.failures() == 1 && failing.allocations() == 3);
    }
    {
        olemem::failing failing(1);
    }
    CHECK(makes_one());
    olemem_fault_plan plan = {};
    plan.size = sizeof plan;
    plan.family = OLEMEM_FAMILY_BSTR;
    {
        const olemem::failing failing(plan);
        CHECK(!makes_one() && !makes_one() && failing.failures() == 2);
    }
#if defined(__cpp_exceptions)
    {
        olemem::failing failing(1);
        bool thrown = false;
        try {
            olemem::bstr text(u"text");
        } catch (const std::bad_alloc &) {
            thrown = true;
        }
        CHECK(thrown && failing.has_failed());
    }
    for (int round = 0; round < 2; round++) {
        bool thrown = false;
        plan.then = 3;
        try {
            if (round == 0)
                olemem::failing failing(plan);
            else
                olemem::failing failing(0);
        } catch (const std::invalid_argument &) {
            thrown = true;
        }
        CHECK(thrown);
    }
#endif
    return checks_finish();
}
