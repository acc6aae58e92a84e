cat > CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(workload C)
enable_testing()
add_executable(program main.c)
add_test(NAME runs COMMAND program)
CMAKE
echo 'int main(void) { return 0; }' > main.c
cmake -S . -B build -G Ninja > configure.log
ninja -C build > build.log
ctest --test-dir build > test.log
grep -q '100% tests passed' test.log
