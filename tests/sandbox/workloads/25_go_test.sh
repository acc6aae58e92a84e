printf 'package workload\nimport "testing"\nfunc TestIt(t *testing.T) { t.Parallel(); t.TempDir() }\n' > it_test.go
go mod init workload 2> init.log
go test ./... > test.log
grep -q '^ok' test.log
