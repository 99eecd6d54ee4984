package testutil_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"hooktape/internal/testutil"
)

// many is large enough that two processes that choose addresses independently would almost certainly choose one twice.
const many = 500

func TestMain(m *testing.M) {
	if os.Getenv("FREEPORT_TEST_OTHER") != "" {
		for range many {
			addr, err := testutil.FreeAddr()
			if err != nil {
				addr = err.Error()
			}
			fmt.Println(addr)
		}
		bufio.NewReader(os.Stdin).ReadByte() // until the test has ended
		return
	}
	os.Exit(m.Run())
}

func TestAddr(t *testing.T) {
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "FREEPORT_TEST_OTHER=1")
	other.Stderr = os.Stderr
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer stdin.Close()
	lines := bufio.NewScanner(stdout)
	given := map[string]bool{}
	for range many {
		mine, err := testutil.FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() {
			t.Fatalf("the other process exited: %v", lines.Err())
		}
		for _, addr := range []string{mine, lines.Text()} {
			if given[addr] {
				t.Fatalf("both processes got %s", addr)
			}
			given[addr] = true
			listener, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			listener.Close()
		}
	}
}
