package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
)

// A message of client-go's own log is one line of our log at level debug, and none above.
func TestTheLibrarysOwnLogIsForDebugging(t *testing.T) {
	t.Cleanup(klog.ClearLogger)
	for level, want := range map[hclog.Level]string{
		hclog.Info:  "",
		hclog.Debug: "[DEBUG] scanflow.client-go: msg=\"the list failed\" err=\"connection refused\"\n",
	} {
		var out bytes.Buffer
		libraryLog(hclog.New(&hclog.LoggerOptions{Name: "scanflow", Output: &out, Level: level, DisableTime: true}))
		klog.ErrorS(errors.New("connection refused"), "the list failed")
		require.Equal(t, want, out.String())
	}
}
