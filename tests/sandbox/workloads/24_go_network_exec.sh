cat > main.go <<'GO'
package main

import (
	"fmt"
	"net"
	"os/exec"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		peer, _ := listener.Accept()
		fmt.Fprint(peer, "x")
		peer.Close()
	}()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	byte1 := make([]byte, 1)
	client.Read(byte1)
	out, err := exec.Command("echo", string(byte1)).Output()
	if err != nil {
		panic(err)
	}
	fmt.Print(string(out))
}
GO
go mod init workload 2> init.log
go build -o program .
test "$(./program)" = x
