package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"testing/synctest"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

// runReplicas reads one replicaCase a line from standard input, and prints one JSON
// array of replicaDecision a line: what Kubernetes' own HorizontalPodAutoscaler
// controller did at each step. The controller reads the real clock, so each case
// runs in a bubble of testing/synctest, whose clock moves when all wait. A bubble
// needs a *testing.T, which nothing but testing.Main gives to a program.
func runReplicas() {
	klog.SetLogger(klog.Logger{})   // a metric that fails is part of the cases
	utilruntime.ErrorHandlers = nil // one of them sleeps, by the clock of the case before
	os.Args = os.Args[:1]           // testing.Main parses the rest as its flags
	everyName := func(_, _ string) (bool, error) { return true, nil }
	testing.Main(everyName, []testing.InternalTest{{Name: "replicas", F: func(t *testing.T) {
		exit(answerCases(t)) // before testing.Main prints what it thinks of its test
	}}}, nil, nil)
}

func answerCases(t *testing.T) error {
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for n := 1; in.More(); n++ {
		var c replicaCase
		if err := in.Decode(&c); err != nil {
			return fmt.Errorf("case %d: %w", n, err)
		}
		var decisions []replicaDecision
		var err error
		synctest.Test(t, func(t *testing.T) { decisions, err = c.decide(t.Context()) })
		if err != nil {
			return fmt.Errorf("case %d: %w", n, err)
		}
		if err := out.Encode(decisions); err != nil {
			return err
		}
	}
	return nil
}
