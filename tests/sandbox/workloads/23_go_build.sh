# -a: the packages that the program needs are compiled again, in parallel.
printf 'package main\nimport "os"\nfunc main() { os.Stdout.WriteString("built\\n") }\n' > main.go
go mod init workload 2> init.log
go build -a -o program .
test "$(./program)" = built
