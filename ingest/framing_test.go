package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hooktape/internal/testutil"
)

// TestTwoLengths verifies that a request with both Content-Length and Transfer-Encoding is refused and ends its
// connection, in every spelling and position, and that requests that only look like it are accepted.
func TestTwoLengths(t *testing.T) { listeners(t, testTwoLengths) }

func testTwoLengths(t *testing.T, s *server) {
	both := func(first, second string) string {
		return "POST " + valid + " HTTP/1.1\r\nHost: h\r\n" + first + "\r\n" + second + "\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
	}
	length, encoding := "Content-Length: 12", "Transfer-Encoding: chunked"
	good := request("POST", valid, "{}")
	tricky := "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, c := range map[string]struct {
		sent string
		want string
	}{
		"length first":      {both(length, encoding), "[400]"},
		"encoding first":    {both(encoding, length), "[400]"},
		"small letters":     {both(strings.ToLower(encoding), strings.ToUpper(length)), "[400]"},
		"bare newlines":     {strings.ReplaceAll(both(length, encoding), "\r\n", "\n"), "[400]"},
		"far apart":         {both(length, "X-Far: "+strings.Repeat("x", 9000)+"\r\n"+encoding), "[400]"},
		"by HTTP/1.0":       {strings.Replace(both(length, encoding), "1.1", "1.0", 1), "[400]"},
		"behind another":    {good + both(length, encoding), "[200 400]"},
		"behind two others": {good + good + both(encoding, length), "[200 200 400]"},
		"behind a large one": {request("POST", valid, strings.Repeat("x", 50_000)) + both(length, encoding),
			"[200 400]"},
		"in a body": {request("POST", valid, tricky) + good, "[200 200]"},
		"in a chunk": {"POST " + valid + " HTTP/1.1\r\nHost: h\r\n" + encoding + "\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(tricky), tricky), "[200]"},
		"in a value": {request("POST", valid, "{}", "X-Other: Transfer-Encoding: chunked"), "[200]"},
		"behind chunks, unchecked": {"POST " + valid + " HTTP/1.1\r\nHost: h\r\n" + encoding +
			"\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + both(length, encoding), "[200]"},
	} {
		for _, bytewise := range []bool{false, true} {
			if bytewise && len(c.sent) > 5000 {
				continue
			}
			conn := s.dial()
			go func() {
				step := len(c.sent)
				if bytewise {
					step = 1
				}
				for sent := c.sent; len(sent) > 0; sent = sent[min(step, len(sent)):] {
					if _, err := io.WriteString(conn, sent[:min(step, len(sent))]); err != nil {
						return
					}
				}
			}()
			var statuses []int
			expected := strings.Count(c.want, " ") + 1
			r, last := bufio.NewReader(conn), answer{}
			for range expected {
				response, err := http.ReadResponse(r, &http.Request{Method: "POST"})
				if err != nil {
					t.Fatalf("%s: no answer: %v", name, err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Errorf("%s: incomplete answer: %v", name, err)
				}
				last = answer{Response: response}
				statuses = append(statuses, last.StatusCode)
			}
			if got := fmt.Sprint(statuses); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
			if last.StatusCode == 400 || strings.Contains(name, "chunk") {
				if !last.Close {
					t.Errorf("%s: the connection stays open", name)
				}
				conn.SetReadDeadline(time.Now().Add(testutil.Patience))
				if rest, err := io.ReadAll(r); len(rest) > 0 {
					t.Errorf("%s: additional answer: %q, %v", name, rest, err)
				}
			}
			conn.Close()
		}
	}
}
