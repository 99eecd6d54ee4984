// Package receiver is an endpoint for tests and benchmarks. It accepts the deliveries of hooktape and keeps a ledger of
// every request, whatever it answered. It can change its behaviour at any time: accept, fail, hang, reset the
// connection, answer with Retry-After, or not listen at all.
package receiver

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Behaviour is how a receiver answers.
type Behaviour struct {
	status     int           // 0: no answer
	retryAfter time.Duration // whole seconds; 0: no Retry-After
	hang       bool          // keep the connection open without an answer until the behaviour changes
}

// Behaviours without parameters.
var (
	OK          = Behaviour{status: http.StatusOK}
	Unavailable = Behaviour{status: http.StatusServiceUnavailable}
	Hang        = Behaviour{hang: true}
	Reset       = Behaviour{}
)

// Busy answers 429 with a Retry-After of whole seconds.
func Busy(retryAfter time.Duration) Behaviour {
	return Behaviour{status: http.StatusTooManyRequests, retryAfter: retryAfter}
}

// Receipt is one request.
type Receipt struct {
	Event      uuid.UUID
	Replay     uuid.UUID // zero: live
	Attempt    uint32    // as the request says
	Subscriber uint64    // of the body; 0: none
	At         time.Time // when the whole request was read
	Status     int       // of the answer; 0: none
	RetryAfter time.Duration
}

// Receiver is an endpoint.
type Receiver struct {
	*Server[Behaviour]
	refuse atomic.Pointer[func(subscriber uint64) bool]

	mu       sync.Mutex
	receipts []Receipt // in the order of arrival
	accepted int       // answered with 200
}

// Listen starts a receiver on a free loopback port. It accepts everything until Behave.
func Listen() (*Receiver, error) {
	r := &Receiver{}
	var err error
	r.Server, err = Serve(http.HandlerFunc(r.answer), OK)
	return r, err
}

// URL returns the URL of the endpoint.
func (r *Receiver) URL() string { return "http://" + r.Addr + "/hook" }

// Refuse makes the receiver answer 400 instead of 200 for the subscribers that which selects.
func (r *Receiver) Refuse(which func(subscriber uint64) bool) { r.refuse.Store(&which) }

// Flap changes between behaviours until ctx ends. Then it returns to OK.
func (r *Receiver) Flap(ctx context.Context, every time.Duration, among ...Behaviour) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer r.Behave(OK)
	for i := 0; ; i++ {
		r.Behave(among[i%len(among)])
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the receiver. Its ledger stays.
func (r *Receiver) Close() {
	r.Behave(Reset) // ends hanging requests
	r.Down()
}

// Receipts returns all requests so far.
func (r *Receiver) Receipts() []Receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.receipts[:len(r.receipts):len(r.receipts)]
}

// Accepted returns the number of requests that were answered with 200.
func (r *Receiver) Accepted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// Requests returns the number of all requests.
func (r *Receiver) Requests() int { return len(r.Receipts()) }

// answer records a delivery and answers it. A GET is no delivery.
func (r *Receiver) answer(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil || request.Method == http.MethodGet {
		return
	}
	b, over := r.Behaviour()
	got := readReceipt(request.Header, body)
	got.Status, got.RetryAfter = b.status, b.retryAfter
	if refuse := r.refuse.Load(); refuse != nil && b.status == http.StatusOK && (*refuse)(got.Subscriber) {
		got.Status = http.StatusBadRequest
	}
	r.record(got)
	if b.hang {
		select {
		case <-over:
		case <-request.Context().Done():
		}
	}
	if got.Status == 0 {
		reset(w)
		return
	}
	if b.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(b.retryAfter.Seconds())))
	}
	w.WriteHeader(got.Status)
	_, _ = io.WriteString(w, http.StatusText(got.Status))
}

func (r *Receiver) record(got Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receipts = append(r.receipts, got)
	if got.Status == http.StatusOK {
		r.accepted++
	}
}

// reset resets a connection.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

var subscriberKey = []byte(`"bothelp_user_id":"`)

// readReceipt reads a request. What the header or the body lacks, or has in another form, stays zero.
func readReceipt(header http.Header, body []byte) Receipt {
	got := Receipt{At: time.Now()}
	got.Event, _ = uuid.Parse(header.Get("X-Hooktape-Event-Id"))
	got.Replay, _ = uuid.Parse(header.Get("X-Hooktape-Replay-Id"))
	attempt, _ := strconv.ParseUint(header.Get("X-Hooktape-Attempt"), 10, 32)
	got.Attempt = uint32(attempt)
	if _, after, found := bytes.Cut(body, subscriberKey); found {
		digits, _, _ := bytes.Cut(after, []byte(`"`))
		got.Subscriber, _ = strconv.ParseUint(string(digits), 10, 64)
	}
	return got
}
