package server

import "testing"

func TestLocalAddr(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:8080": "127.0.0.1:8080", ":8080": "127.0.0.1:8080", "[::]:8080": "[::1]:8080",
		"127.0.0.1:80": "127.0.0.1:80", "10.1.2.3:8080": "10.1.2.3:8080", "localhost:8080": "localhost:8080",
	} {
		if got := localAddr(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
