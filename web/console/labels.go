package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"hooktape/internal/event"
)

// label is a value of the tables as a page shows it: a word, with an icon for its tone. The tone is good, bad, doubt,
// neutral, quiet or empty, as in the dashboards. Only bad and doubt have a colour, so that exceptions stand out.
type label struct{ Text, Tone string }

// tones has the tone of each value, by list.
var tones = map[string]map[string]string{
	"verdict": {"accepted": "good", "bad_signature": "bad", "unknown_source": "bad", "bad_token": "bad",
		"too_large": "bad", "method_not_allowed": "bad", "aborted": "bad", "malformed": "bad"},
	"kind": {"flow": "", "conversation_closed": "", "user_profile_viewed": ""},
	"delivery": {"delivered": "good", "failed": "bad", "pending": "doubt", "retrying": "doubt", "delivering": "neutral",
		"unknown": "doubt", "cancelled": "quiet"},
	"outcome": {"delivered": "good", "bad_status": "bad", "timeout": "bad", "no_connection": "bad",
		"broken_answer": "bad", "forbidden_addr": "bad", "impossible": "bad", "unknown": "doubt", "not_sent": "bad"},
	"differs":  {"status": "doubt", "outcome": "doubt", "body": "doubt"},
	"endpoint": {"active": "good", "failing": "bad", "paused": "doubt"},
	"replay":   {"running": "neutral", "paused": "doubt", "completed": "good"},
}

// texts has the values that a page does not show as they are.
var texts = map[string]string{"forbidden_addr": "forbidden address", "not_sent": "not sent"}

// reasonLabel returns the label of the reason for which requests with a verdict are rejected.
func reasonLabel(verdict any) label {
	reason := event.Verdict(fmt.Sprint(verdict)).Reason()
	if reason == "" {
		return label{}
	}
	return label{strings.ToUpper(reason[:1]) + reason[1:], "bad"}
}

// labelOf returns the label of a value of a list of tones.
func labelOf(list, value any) label {
	if list == "reason" {
		return reasonLabel(value)
	}
	name := fmt.Sprint(value)
	text, ok := texts[name]
	if !ok {
		text = strings.ReplaceAll(name, "_", " ")
	}
	tone, ok := tones[fmt.Sprint(list)][name]
	if !ok {
		tone = "quiet"
	}
	return label{text, tone}
}

// replayLabel returns the label of a replay's state: an end with failures says how many, and does not look like a
// success.
func replayLabel(r event.Replay) label {
	if r.State == event.ReplayFailures {
		return label{"completed with " + count(r.Counts[event.Failed], "failure"), "bad"}
	}
	return labelOf("replay", r.State)
}

// verdictHelp says why a request was rejected, and what to do.
var verdictHelp = map[string]string{
	"bad_signature": "The signature does not match the source's signing_token: it was changed at BotHelp, or " +
		"somebody else sends. Copy it from BotHelp again.",
	"unknown_source": "The URL names a source that the configuration does not have. Correct the URL in BotHelp, " +
		"or add the source.",
	"bad_token": "The token in the URL is not the source's. Copy the hook URL from the page Sources again.",
	"too_large": "The body is larger than the source's max_body. Raise it in the configuration if such " +
		"bodies are legitimate.",
	"method_not_allowed": "The request is not a POST: somebody opened the hook's URL in a browser.",
	"aborted":            "The sender disconnected before its request was complete.",
	"malformed": "The request is not HTTP; the body shows its beginning. Correct the sender, or the proxy " +
		"in front.",
}

// number formats a number with thin spaces between thousands.
func number(n any) string {
	var text string
	switch n := n.(type) {
	case int:
		text = strconv.Itoa(n)
	case uint64:
		text = strconv.FormatUint(n, 10)
	default:
		return fmt.Sprint(n)
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// count formats a number with its noun.
func count(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "a") {
		noun = stem + "ie" // deliveries, but days
	}
	return number(n) + " " + noun + "s"
}

// functions are the functions of the templates.
var functions = template.FuncMap{
	"visible": visible, "line": line, "cell": cell, "long": blockOf, "label": labelOf, "replay": replayLabel,
	"number": number, "size": size, "count": count, "span": span, "when": when, "minute": minute, "exact": exact,
	"asset": assetPath, "help": func(verdict any) string { return verdictHelp[fmt.Sprint(verdict)] },
	"subscriberURL": subscriberURL,
	"tab":           func(f frame, section, path, name string) tab { return tab{path, name, f.Section == section} },
	"source":        func(p sourcesPage, c sourceCard) shownSource { return shownSource{p.MayReveal, c} },
}

// tab is an entry of the navigation.
type tab struct {
	Path, Name string
	Current    bool
}
