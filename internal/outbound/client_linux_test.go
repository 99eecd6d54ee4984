package outbound

import (
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"hooktape/internal/event"
)

// TestConnectingTimesOut verifies that the outcome shows that the endpoint was never reached. Linux does not answer
// connections to a listener with a full backlog, like a firewall that drops packets.
func TestConnectingTimesOut(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*syscall.SockaddrInet4).Port))
	for range 16 {
		conn, err := net.DialTimeout("tcp", addr, 50*time.Millisecond)
		if err != nil {
			break // the backlog is full
		}
		defer conn.Close()
	}
	e := local("http://" + addr + "/")
	e.Timeout = 400 * time.Millisecond
	a := attempt(t, clientOf(t, e), e)
	if a.Outcome != event.OutcomeNoConn || a.Err != "connect to "+addr+": no answer in time" {
		t.Errorf("%s %q", a.Outcome, a.Err)
	}
}
