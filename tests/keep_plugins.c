/* Linked into builds for leak checkers: plugins that Open MPI has closed lose their names, and then a leak of theirs
 * cannot
 * be told from one of ours. A program that never closes a library keeps them. */
int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
