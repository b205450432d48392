package share

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
)

// childShare is set in the environment of this test binary when it is to be a process
// with that share.
const childShare = "SHARE_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childShare); text != "" {
		os.Exit(child(text))
	}
	os.Exit(m.Run())
}

// work counts what a process did.
type work struct {
	Images     int
	Used, Wall float64 // seconds
}

// child classifies images for as long as the test wants, with its share.
func child(text string) int {
	var s Share
	if s.Set(text) != nil {
		return 2
	}
	n, err := classifier.New(classifier.Small, 1, nil)
	if err != nil {
		return 2
	}
	scratch, img := n.NewScratch(), classifier.Sample(1)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	clock := System()
	began, before := clock.Now(), clock.Used()
	q := New(s, clock)
	images := 0
	for {
		if _, err := n.Predict(scratch, img, func() error { return q.Pause(ctx) }); err != nil {
			break
		}
		images++
	}
	if json.NewEncoder(os.Stdout).Encode(work{images, (clock.Used() - before).Seconds(), clock.Now().Sub(began).Seconds()}) != nil {
		return 2
	}
	return 0
}

// Two processes side by side, one with twice the share of the other. On a busy machine
// they may get less than their share, but never more.
func TestTwiceTheShareIsTwiceTheWork(t *testing.T) {
	shares := []string{"200m", "400m"}
	var did [2]work
	run := make(chan error, len(shares))
	for i, s := range shares {
		go func() {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), childShare+"="+s)
			out, err := c.Output()
			if err == nil {
				err = json.Unmarshal(out, &did[i])
			}
			run <- err
		}()
	}
	for range shares {
		require.NoError(t, <-run)
	}
	all := true // whether both got what they were allowed
	for i, w := range did {
		var s Share
		require.NoError(t, s.Set(shares[i]))
		got := w.Used / w.Wall
		t.Logf("%s: %d images, %.3f of a core", shares[i], w.Images, got)
		require.LessOrEqual(t, got, s.Cores()*1.2)
		require.Positive(t, w.Images)
		all = all && got > s.Cores()*0.9
	}
	if all {
		require.InDelta(t, 2, did[1].Used/did[0].Used, 0.5)
		require.InDelta(t, 2, float64(did[1].Images)/float64(did[0].Images), 0.5)
	}
}
