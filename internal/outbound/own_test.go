package outbound

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"hooktape/internal/event"
)

// TestNothingGoesToHooktapeItself verifies that no connection is made to a listener of hooktape or to a server that
// hooktape uses, whatever an endpoint allows, by any of their addresses.
func TestNothingGoesToHooktapeItself(t *testing.T) {
	var reached atomic.Int32
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Listener.Close()
	server.Listener = everywhere
	server.Start()
	defer server.Close()
	_, port, _ := net.SplitHostPort(everywhere.Addr().String())
	number, _ := strconv.ParseUint(port, 10, 16)

	listens, connects, byName := &OwnAddresses{}, &OwnAddresses{}, &OwnAddresses{}
	listens.AddListener("127.0.0.1:0", "nothing yet")
	// on loopback only: its port is forbidden at each address of the machine
	listens.AddListener("127.0.0.1:"+port, "API and console")
	connects.AddServer("127.0.0.1", uint16(number), "ClickHouse")
	byName.AddServer("localhost", uint16(number), "ClickHouse")

	hosts := []string{"127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "0.0.0.0", "[::]", "[::1]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; !ip.IsLinkLocalUnicast() { // link-local addresses need a zone
			hosts = append(hosts, strings.Trim(net.JoinHostPort(ip.String(), ""), ":"))
		}
	}
	for what, own := range map[string]*OwnAddresses{"a listener": listens, "a server": connects,
		"a server by its name": byName} {
		for _, host := range hosts {
			for _, e := range []Endpoint{local("http://" + host + ":" + port + "/?query=SELECT+1"),
				adHoc("https://"+host+":"+port+"/", true)} {
				client, err := NewClient(e, own)
				if err != nil {
					t.Fatal(err)
				}
				if a := attempt(t, client, e); a.Outcome != event.OutcomeForbidden ||
					!strings.Contains(a.Err, "is hooktape's own ") || !strings.Contains(a.Err, "(port "+port+")") {
					t.Errorf("%s as %s: %s %q", what, e.URL, a.Outcome, a.Err)
				}
				if _, err := client.Probe(context.Background()); err == nil ||
					!strings.Contains(err.Error(), "is hooktape's own ") {
					t.Errorf("%s as %s: Probe returned %v", what, e.URL, err)
				}
			}
		}
	}
	if reached.Load() > 0 {
		t.Errorf("%d requests reached it", reached.Load())
	}
}

// TestOtherAddressesAreReached verifies that other ports of the same machine, and the same port of another machine, are
// reached, and that everything is if hooktape's addresses are unknown.
func TestOtherAddressesAreReached(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	own := &OwnAddresses{}
	own.AddListener("127.0.0.1:1", "API and console")
	own.AddServer("localhost", 2, "ClickHouse")
	own.AddServer("192.0.2.1", uint16(port), "ClickHouse")
	e := local(server.URL)
	for _, own := range []*OwnAddresses{own, {}, nil} {
		client, err := NewClient(e, own)
		if err != nil {
			t.Fatal(err)
		}
		if a := attempt(t, client, e); a.Status != http.StatusNotFound {
			t.Errorf("%s %q", a.Outcome, a.Err)
		}
		client.CloseIdleConnections()
	}
	// A server whose name does not resolve now could be anywhere: the attempt fails and is retried.
	own.AddServer("no-such-host.invalid", uint16(port), "ClickHouse")
	client, err := NewClient(e, own)
	if err != nil {
		t.Fatal(err)
	}
	if a := attempt(t, client, e); a.Outcome != event.OutcomeNoConn {
		t.Errorf("%s %q", a.Outcome, a.Err)
	}
}
