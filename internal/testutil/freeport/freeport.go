// Package freeport is for tests and benches of programs that are told where to listen. (consul/sdk/freeport gives out ports in a
// like way, with a goroutine for it that goleak finds in every test, and with nine modules.)
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// The ports lie below those that the kernel gives to outgoing connections, one of which might else hold the port of a process
// that is dead for a moment. Each has another one beside it, which tells whose it is.
const (
	firstPort = 20_000
	ports     = 6_000
)

// reserved is what keeps others off the ports of this process, for as long as it lives.
var reserved struct {
	sync.Mutex
	guards []net.Listener
}

// Addr is an address of the loopback where nobody listens. No other call gets the same one, in this process or in another,
// until this process has ended: packages are tested side by side, and a program takes a while to listen, or to come again.
func Addr() (string, error) {
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
