# The sanitizer finds what is there, and nothing in a sound program.
printf 'int main(int c, char** v) { int a[4] = {0}; (void)v; return a[c * 4 - 4]; }\n' > good.c
printf '#include <stdlib.h>\nint main(int c, char** v) { char* p = malloc(4); (void)v; return p[c * 4]; }\n' > bad.c
gcc -g -fsanitize=address -o good good.c
gcc -g -fsanitize=address -o bad bad.c
./good
if ./bad 2> report; then exit 1; fi
grep -q heap-buffer-overflow report
