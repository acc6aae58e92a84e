# Two translation units linked with link-time optimisation.
echo 'int twice(int x) { return 2 * x; }' > twice.c
printf '#include <stdio.h>\nint twice(int);\nint main() { printf("%%d\\n", twice(21)); }\n' > main.c
gcc -O2 -flto -o program main.c twice.c
test "$(./program)" = 42
