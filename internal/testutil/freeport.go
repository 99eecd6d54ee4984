package testutil

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// FreeAddr chooses ports below the kernel's range for outgoing connections, because such a connection could use the
// port while the process that owns it restarts. A listener on the port at a fixed distance above each marks it as
// taken.
//
// consul/sdk/freeport does the same with nine modules and a goroutine that goleak reports in every test.
const (
	firstPort = 20_000
	ports     = 6_000
)

// reserved holds the listeners that mark this process's ports as taken.
var reserved struct {
	sync.Mutex
	guards []net.Listener
}

// FreeAddr returns a free loopback address. Until this process ends, no other call returns the same address, in this
// process or another: packages are tested in parallel, and a program may listen late or restart.
func FreeAddr() (string, error) {
	for range 100 {
		port := firstPort + rand.IntN(ports)
		guard, err := listen(port + ports)
		if err == nil {
			var free net.Listener
			if free, err = listen(port); err == nil {
				keep(guard)
				return free.Addr().String(), free.Close()
			}
			guard.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
	return "", errors.New("no free port found")
}

func keep(guard net.Listener) {
	reserved.Lock()
	defer reserved.Unlock()
	reserved.guards = append(reserved.guards, guard)
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
