package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/spool"
)

// exchange is a request that is forwarded, and its answer: see [Server.forward].
type exchange struct {
	*forwarder
	server   *Server
	judged   *judged
	began    time.Time    // the end of the request
	botLeft  atomic.Int64 // how long after began, as a time.Duration; 0 if the bot is connected
	memory   reservation  // of the request, until the outcome is on disk
	admitted outbound.Admission

	endpoint outbound.Endpoint // with the URL of this request
	noURL    error             // why the request has none
	attempt  event.Attempt
	waited   time.Duration // for the endpoint
	answered answerBody
	result   string // for the metrics
	finished bool   // the bot has its answer; false after a panic

	stored   chan struct{} // is closed when the event and the intent are on disk, or storeErr says why not
	storeErr error
}

// The results of an exchange.
const (
	resultAnswered  = "answered"
	resultBrokenOff = "broken_off"
	resultBotLeft   = "bot_left"
	resultFallback  = "fallback"
)

const (
	// writeGrace is the time after the deadline that a bot has to read the rest of its answer.
	writeGrace = 2 * time.Second
	// stopGrace is the time that forwarded requests have when the process stops. It leaves time for the fallback.
	stopGrace = shutdownGrace - time.Second
	// refusePatience is the longest time that a bot which gets the fallback at once waits for a disk that hangs.
	refusePatience = time.Second
)

var (
	errStopped = errors.New("hooktape was stopped before the answer arrived")
	errLate    = errors.New("the request was not on disk within the deadline")
)

// forward stores a request together with the intent to forward it, forwards it, and answers as the endpoint does. It
// stores the outcome after the answer. The bot is answered even if nothing can be stored.
func (s *Server) forward(c *gin.Context, h *judged) {
	s.recording.Add(1)
	defer s.recording.Done()
	x := s.newExchange(h)
	bot := c.Request.Context()
	defer context.AfterFunc(bot, func() { x.botLeft.Store(int64(max(time.Since(x.began), 1))) })()
	// A bot that leaves does not end the exchange: the endpoint may have acted, and its answer is recorded.
	ctx, cancel := context.WithDeadline(trace.ContextWithSpan(s.stopping, trace.SpanFromContext(bot)),
		x.began.Add(x.Deadline))
	defer cancel()
	// It fails only in tests, without a connection.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(x.began.Add(x.Deadline + writeGrace))

	if !x.enter() {
		x.refuse(c, event.FallbackInFlight, "too many requests wait for an answer; nothing was sent")
		return
	}
	var wait time.Duration
	if x.admitted, wait = x.breaker.Admit(x.began); wait > 0 {
		defer x.leave()
		x.refuse(c, event.FallbackFailing, "the endpoint is failing (its circuit breaker is open); nothing was sent")
		return
	}
	defer x.settle()
	if err := x.store(ctx); err != nil {
		s.notStored(bot, err)
		x.breaker.Withdraw(x.admitted)
		x.unsent(c.Writer, err)
	} else {
		x.send(ctx, c.Writer)
	}
	x.finish()
}

func (s *Server) newExchange(h *judged) *exchange {
	x := &exchange{forwarder: h.source.forwarder, server: s, judged: h, began: time.Now(), stored: make(chan struct{})}
	x.endpoint = x.Endpoint
	if to, err := x.url(h.rest, h.captured.Query); err == nil {
		x.endpoint.URL = to
	} else {
		x.noURL = err
	}
	x.attempt = event.Attempt{ID: event.ForwardID(h.captured.ID, x.To), EventID: h.captured.ID, Endpoint: x.To,
		URL: x.endpoint.StoredURL(), Number: 1, StartedAt: x.began, Kind: event.AttemptForward,
		TraceID: h.captured.TraceID, Source: x.source}
	return x
}

// enter moves the request's memory to the share of forwarded requests, and takes a place among those in flight, of the
// source and of all sources. It returns false if there is no room.
func (x *exchange) enter() bool {
	if !x.judged.memory.hold() || !x.places.TryAcquire(1) {
		return false
	}
	if !x.server.places.TryAcquire(1) {
		x.places.Release(1)
		return false
	}
	x.memory = x.judged.memory.handOver()
	x.server.forwarding.Add(context.Background(), 1, x.labels.source)
	return true
}

// leave gives the place and the memory back.
func (x *exchange) leave() {
	x.server.forwarding.Add(context.Background(), -1, x.labels.source)
	x.memory.release()
	x.server.places.Release(1)
	x.places.Release(1)
}

// store puts the event and the intent on disk. It does not wait beyond ctx: then it returns errLate or errStopped, and
// they may still get there.
func (x *exchange) store(ctx context.Context) error {
	begun, intent := time.Now(), intentOf(&x.attempt)
	x.server.recording.Go(func() {
		defer close(x.stored)
		x.storeErr = x.put(&event.Record{Received: *x.judged.captured}, intent)
	})
	select {
	case <-x.stored:
		if x.storeErr == nil {
			x.judged.appended = time.Since(begun)
			x.server.appendTime.Record(ctx, x.judged.appended.Seconds())
		}
		return x.storeErr
	case <-ctx.Done():
		if stopped(ctx) {
			return errStopped
		}
		return errLate
	}
}

// put puts a record with the event on disk.
func (x *exchange) put(record *event.Record, notes ...spool.Note) error {
	data, err := record.Marshal()
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if err := x.server.spool.Append(x.server.patience, data, notes...); err != nil {
		return err
	}
	x.server.requests.Add(x.server.patience, 1, x.labels.accepted)
	return nil
}

// stopped reports whether an exchange's context has ended because the process stops.
func stopped(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// refuse stores the request and its outcome together, sends nothing, and answers with the fallback: when the disk has
// answered, as each answer of hooktape means, but not later than refusePatience.
func (x *exchange) refuse(c *gin.Context, why event.Fallback, text string) {
	x.decline(event.OutcomeNotSent, why, text)
	outcome := x.attempt
	outcome.Overhead = time.Since(x.began)
	stored := make(chan error, 1)
	x.server.recording.Go(func() {
		stored <- x.put(&event.Record{Received: *x.judged.captured, Outcome: &outcome})
	})
	var err error
	late := false
	select {
	case err = <-stored:
	case <-time.After(min(refusePatience, x.Deadline)):
		late = true
	}
	x.Fallback.write(c.Writer)
	c.Writer.Flush()
	x.finish()
	if late {
		err = <-stored // the request's memory is reserved until then
	}
	if err != nil {
		x.server.notStored(c.Request.Context(), err)
	}
}

// unsent answers with the fallback because the event and the intent are not on disk, at least not in time.
func (x *exchange) unsent(w http.ResponseWriter, err error) {
	why := fallbackFull
	switch {
	case errors.Is(err, errLate):
		why = event.FallbackDeadline
	case errors.Is(err, errStopped):
		why = event.FallbackError
	}
	x.fallback(w, event.OutcomeNotSent, why, err.Error()+"; nothing was sent")
}

// fallback answers with the fallback, and records why.
func (x *exchange) fallback(w http.ResponseWriter, outcome event.Outcome, why event.Fallback, text string) {
	x.decline(outcome, why, text)
	x.Fallback.write(w)
}

// decline records why the bot gets the fallback.
func (x *exchange) decline(outcome event.Outcome, why event.Fallback, text string) {
	x.attempt.Outcome, x.attempt.Fallback, x.attempt.Error = outcome, why, text
	x.result = resultFallback
	x.noteBotLeft()
}

// noteBotLeft records if the bot has closed its connection. It is called right before the answer: a bot may leave once
// it has that. The answer is written all the same, because a bot that has closed only its own direction still reads.
func (x *exchange) noteBotLeft() {
	if after := time.Duration(x.botLeft.Load()); after > 0 {
		x.result = resultBotLeft
		x.addError(fmt.Sprintf("the bot closed the connection after %s, before it was answered",
			after.Round(time.Millisecond)))
	}
}

// addError adds a text to the attempt's error.
func (x *exchange) addError(text string) {
	if x.attempt.Error != "" {
		text = x.attempt.Error + "; " + text
	}
	x.attempt.Error = text
}

// finish measures an exchange that has been answered.
func (x *exchange) finish() {
	took := time.Since(x.began)
	x.attempt.Overhead = max(took-x.waited, 0)
	x.server.measure(x, took)
	x.finished = true
}

// settle ends an exchange in the background, also one that panicked: it records the outcome of an intent that is on
// disk, and gives the place back.
func (x *exchange) settle() {
	if !x.finished {
		x.breaker.Withdraw(x.admitted)
		x.attempt.Outcome, x.attempt.Error = event.OutcomeUnknown, "hooktape failed while it answered"
	}
	x.server.recording.Go(func() {
		defer x.leave()
		if <-x.stored; x.storeErr == nil {
			x.expect()
			x.record()
		}
	})
}

// answeredInstead answers with the fallback of the source, if it has one, a request that is not stored and not
// forwarded.
func (s *Server) answeredInstead(ctx context.Context, w http.ResponseWriter, h *judged, reason event.Fallback) bool {
	if h.source == nil || h.source.forwarder == nil {
		return false
	}
	h.source.forwarder.Fallback.write(w)
	s.countFallback(ctx, h.source.Name, reason)
	return true
}
