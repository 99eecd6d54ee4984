package event

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// reasons says in words why a request was rejected.
var reasons = map[Verdict]string{
	BadSignature:     "the signature is wrong",
	UnknownSource:    "no source has this name",
	BadToken:         "the token in the URL is wrong",
	TooLarge:         "the body is too large",
	MethodNotAllowed: "the method is not POST",
	Aborted:          "the sender disconnected before the end",
	Malformed:        "the request is not HTTP",
}

// Reason returns why ingest rejects requests with this verdict, as the end of a sentence; "" for Accepted.
func (v Verdict) Reason() string { return reasons[v] }

// Acceptance says who accepted a rejected request after all. It is zero for an event that ingest accepted.
type Acceptance struct {
	By  string    `json:"by" doc:"The name of a token, or a user of the command line."`
	At  time.Time `json:"at" doc:"When."`
	Was Verdict   `json:"was" doc:"Why it had been rejected."`
}

// DeclaredBytes returns the size of the body by its Content-Length; false if the request has none.
func (r *Received) DeclaredBytes() (n uint64, ok bool) {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "Content-Length") {
			n, err := strconv.ParseUint(h.Value, 10, 63)
			return n, err == nil
		}
	}
	return 0, false
}

// NeverWhole lists the verdicts of requests whose body is never stored as a whole.
var NeverWhole = []Verdict{TooLarge, Aborted, Malformed}

// Obstacle returns why a rejected request cannot be accepted after all: it is not stored as a whole, or has no body.
// It returns "" for a request that can. A body that was sent in chunks, without a Content-Length, is whole if it is
// valid JSON. Package store has the same rule in SQL.
func (r *Received) Obstacle() string {
	declared, known := r.DeclaredBytes()
	switch kept := uint64(len(r.Body)); {
	case r.BodyGone():
		return "its body is past its retention"
	case r.Verdict == Aborted || r.Verdict == Malformed:
		return r.Verdict.Reason()
	case r.Verdict == TooLarge, known && kept < declared:
		return "only the start of its body is stored"
	case kept == 0:
		return "it has no body"
	case known && kept != declared:
		return "its body is not stored as it came, because a hook's token was in it"
	case !known && !json.Valid(r.Body):
		return "it is not known whether its body is complete"
	}
	return ""
}

// Kept describes how much of the body of a rejected request is stored, such as "64 KiB of 2.1 MiB"; "" if all.
func (r *Received) Kept() string {
	declared, known := r.DeclaredBytes()
	kept := uint64(len(r.Body))
	switch {
	case r.BodyGone() || known && kept >= declared:
		return ""
	case known:
		return bytesText(kept) + " of " + bytesText(declared)
	case r.Verdict == TooLarge || r.Verdict == Aborted:
		return "the first " + bytesText(kept)
	}
	return ""
}

// bytesText formats a size for people.
func bytesText(n uint64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return strings.Replace(fmt.Sprintf("%.1f KiB", float64(n)/(1<<10)), ".0 ", " ", 1)
	}
	return strings.Replace(fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)), ".0 ", " ", 1)
}
