package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	var sent bytes.Buffer
	for _, body := range []string{"first body", "", `{"id":"x"}`} {
		request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/hook?a=b", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header["x-hooktape-attempt"] = []string{"3"}
		if err := request.Write(&sent); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReader(&sent)
	for _, want := range []string{"first body", "", `{"id":"x"}`} {
		attempt := ""
		start, body, err := Read(r, func(name, value []byte) {
			if Is(name, "X-Hooktape-Attempt") {
				attempt = string(value)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if start != "POST /hook?a=b HTTP/1.1" || attempt != "3" || string(body) != want {
			t.Errorf("read %q, attempt %q, body %q, want body %q", start, attempt, body, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, message := range map[string]string{
		"chunked body":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"invalid length":     "HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
		"negative length":    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"body over the size": "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000),
		"cut header":         "HTTP/1.1 200 OK\r\nContent-Le",
		"cut body":           "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
	} {
		_, body, err := Read(bufio.NewReaderSize(strings.NewReader(message), 4<<10), func(_, _ []byte) {})
		if err == nil {
			t.Errorf("%s: read %q", name, body)
		}
	}
}
