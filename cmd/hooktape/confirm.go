package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"hooktape/replay"
)

// confirmation is the flag of commands that ask before they send.
type confirmation struct {
	Yes bool `help:"Do not ask before it sends more than 1,000 events, sends events again, or repeats a replay."`
}

// errDeclined means that a person declined to go on.
var errDeclined = errors.New("nothing was sent")

// confirm asks whether to go on for these reasons. Without a terminal it is an error that there is nobody to ask.
func (c confirmation) confirm(e *env, reasons []replay.Confirmation) error {
	if c.Yes || len(reasons) == 0 {
		return nil
	}
	var texts []string
	for _, r := range reasons {
		texts = append(texts, safe(r.Text))
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return fmt.Errorf("%s; nobody can confirm that, because standard input is no terminal: "+
			"add --yes, or see the plan with --dry-run",
			strings.Join(texts, "; "))
	}
	for _, text := range texts {
		fmt.Fprintf(e.stderr, "! %s\n", text)
	}
	fmt.Fprint(e.stderr, "Go on? [y/N] ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no answer is no
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}
