package simulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/simulate/people"
)

// The source and step of External Requests, and the endpoint that answers them in a history.
const (
	ExternalSource   = "price"
	externalStep     = "quote"
	externalEndpoint = "backend"
	externalURL      = "https://backend.example.org/bot"
	externalDeadline = 8 * time.Second
	// askedAfter is the time from a webhook to the External Request of the same bot.
	askedAfter = 300 * time.Millisecond
)

// ExternalRequest returns the request of BotHelp's step External Request that a bot sends after a webhook, decoded. A
// quarter of the flow webhooks have one: the bot asks for the price of an article. Half of the subscribers send GET
// with a query, half POST with a JSON body. The [Truth] does not count these requests.
func ExternalRequest(after *event.Event) (asked event.Event, ok bool) {
	d := externalDice(after)
	if after.Kind != event.KindFlow || after.BothelpUserID == "" || d.UpTo(4) > 0 {
		return asked, false
	}
	asked.ReceivedAt = after.ReceivedAt.Add(askedAfter)
	asked.ID = event.StampID(randomID(&d), asked.ReceivedAt)
	binary.BigEndian.PutUint64(asked.TraceID[:8], d.Next())
	binary.BigEndian.PutUint64(asked.TraceID[8:], d.Next())
	binary.BigEndian.PutUint64(asked.SpanID[:], d.Next())
	asked.Source, asked.Step, asked.Verdict, asked.RemoteIP = ExternalSource, externalStep, event.Accepted,
		after.RemoteIP
	asked.Method, asked.Query = "GET", "sku="+strconv.Itoa(d.UpTo(articles))
	if after.BothelpUserID[len(after.BothelpUserID)-1]%2 == 0 {
		asked.Query += "&bothelp_user_id=" + url.QueryEscape(after.BothelpUserID)
	} else {
		asked.Method = "POST"
		asked.Body, _ = json.Marshal(map[string]string{"bothelp_user_id": after.BothelpUserID, "name": after.Name,
			"phone": after.Phone}) // strings have no error
	}
	asked.BodySHA256 = sha256.Sum256(asked.Body)
	(&Account{}).fillHeaders(&asked, &visit{})
	bothelp.Read(&asked, "")
	return asked, true
}

func externalDice(of *event.Event) people.Dice {
	return people.Throw(0, streamExternal, binary.BigEndian.Uint64(of.ID[8:]))
}

// Exchanges returns the External Requests after a batch of webhooks, and the attempt of each: what the backend answered
// and what the bot got.
func Exchanges(webhooks []event.Event) (requests []event.Event, attempts []event.Attempt) {
	for i := range webhooks {
		if asked, ok := ExternalRequest(&webhooks[i]); ok {
			requests, attempts = append(requests, asked), append(attempts, exchange(&asked))
		}
	}
	return requests, attempts
}

func exchange(asked *event.Event) event.Attempt {
	d := externalDice(asked)
	a := event.Attempt{ID: event.ForwardID(asked.ID, externalEndpoint), EventID: asked.ID, Endpoint: externalEndpoint,
		URL: externalURL, Number: 1, StartedAt: asked.ReceivedAt.Add(time.Millisecond), Kind: event.AttemptForward,
		Source: asked.Source, Outcome: event.OutcomeDelivered, TraceID: asked.TraceID,
		Duration: time.Duration(20+d.Early(300)) * time.Millisecond,
		Overhead: time.Duration(600+d.Early(6000)) * time.Microsecond}
	query, _ := url.ParseQuery(asked.Query) // it is ours
	fault := faultOf(d.Next())
	status, body := answerOf(query, fault)
	a.StatusCode, a.ResponseBody = uint16(status), []byte(body)
	a.ResponseHeaders = []event.Header{{Name: "Content-Type", Value: "application/json"}}
	switch fault {
	case late:
		a.Duration += backendSlow
	case silent:
		a.Outcome, a.Fallback, a.Error = event.OutcomeTimeout, event.FallbackDeadline, "no answer within the deadline"
		a.Duration, a.StatusCode, a.ResponseBody, a.ResponseHeaders = externalDeadline, 0, nil, nil
	case failing:
		a.Outcome, a.Error = event.OutcomeStatus, "status "+strconv.Itoa(status)
	case incomplete:
		a.MissingKeys = []string{"paid"}
	case cutOff:
		a.Outcome, a.Error = event.OutcomeBroken, "the answer ends before it is complete"
		a.ResponseBody = bytes.TrimSuffix(a.ResponseBody, []byte("}"))
	}
	a.ResponseBytes = uint64(len(a.ResponseBody))
	return a
}
