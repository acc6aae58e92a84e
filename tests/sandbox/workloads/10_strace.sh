strace -f -o log sh -c 'cat /dev/null; true'
test "$(grep -c 'execve(' log)" -ge 2
