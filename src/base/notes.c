/* A short list of sentences, each kept once. */
#include "base/notes.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

void kt_notes_add(kt_notes *notes, bool warns, const char *format, ...)
{
    if (notes->n == KT_MAX_NOTES)
        return;
    kt_note *note = &notes->note[notes->n++];
    va_list args;
    va_start(args, format);
    vsnprintf(note->text, sizeof note->text, format, args);
    va_end(args);
    for (char *c = note->text; *c != '\0'; c++) /* what files hold must not move the cursor */
        *c = iscntrl((unsigned char)*c) ? '?' : *c;
    note->warns = warns;
}

void kt_notes_join(kt_notes *notes, const kt_notes *more)
{
    for (size_t i = 0; i < more->n && notes->n < KT_MAX_NOTES; i++)
        notes->note[notes->n++] = more->note[i];
}
