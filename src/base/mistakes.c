/* A list of sentences that becomes one failure. */
#include "base/mistakes.h"

#include "base/memory.h"

void kt_mistakes_add(kt_mistakes *mistakes, kt_status status)
{
    if (status == KT_OK)
        return;
    if (mistakes->n == 0)
        mistakes->status = status;
    if (mistakes->n++ < KT_MISTAKES_TOLD)
        kt_text_append(&mistakes->text, "%s%s", mistakes->n > 1 ? "\n  " : "", kt_error_message());
}

kt_status kt_mistakes_tell(kt_mistakes *mistakes, const char *name)
{
    const kt_mistakes m = *mistakes;
    char *text;
    *mistakes = (kt_mistakes){0};
    if (m.n == 0)
        return KT_OK;
    kt_text_buffer all = m.text;
    if (m.n > KT_MISTAKES_TOLD)
        kt_text_append(&all, "\n  and %zu more", m.n - KT_MISTAKES_TOLD);
    KT_TRY(kt_text_take(&all, &text));
    if (m.n == 1)
        kt_fail(m.status, "%s", text);
    else
        kt_fail_lines(m.status, "%s: %zu mistakes:\n  %s", name, m.n, text);
    kt_memory_free(text);
    return m.status;
}
