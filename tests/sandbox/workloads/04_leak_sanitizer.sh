# Leak detection traces its own process.
printf '#include <stdlib.h>\nvoid* volatile p;\nint main() { p = malloc(77); p = 0; return 0; }\n' > leak.c
gcc -g -fsanitize=leak -o leak leak.c
if ./leak 2> report; then exit 1; fi
grep -q '77 byte' report
