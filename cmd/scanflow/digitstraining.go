package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/steps"
)

// heldOutFlags select the digits that models are compared on.
type heldOutFlags struct{ file, drift string }

func (h *heldOutFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&h.file, "held-out", "", "file of held-out digits as they come now, as scanflow digits drifted writes it; absent: the test digits, spoilt by --drift")
	h.addDrift(c)
}

func (h *heldOutFlags) addDrift(c *cobra.Command) {
	c.Flags().StringVar(&h.drift, "drift", corrupt.DefaultMix().String(), "what the digits suffer, as KIND:SEVERITY=SHARE,...")
}

// sets returns the held-out digits: those of the file, or clean ones corrupted with a seed.
func (h *heldOutFlags) sets(clean digits.Set, seed uint64) (steps.HeldOutSets, error) {
	if h.file != "" {
		drifted, err := loadSet(h.file)
		return steps.HeldOutSets{Drifted: drifted, Clean: clean}, err
	}
	mix, err := corrupt.ParseMix(h.drift)
	if err != nil {
		return steps.HeldOutSets{}, err
	}
	return steps.HeldOut(clean, mix, seed), nil
}

// loadSet reads the labelled samples of a file.
func loadSet(path string) (digits.Set, error) {
	all, err := samples.Load(path)
	return samples.Labelled(all), err
}

// trainStepFlags are the flags of train as a step of a workflow.
type trainStepFlags struct {
	stepFlags
	data, extra, test, candidate string
	leak                         bool
	held                         heldOutFlags
}

func (o *trainStepFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.data, "data", "", "step: file of the digits that the first model was trained on")
	f.StringVar(&o.extra, "extra", "", "step: file of picked samples")
	f.StringVar(&o.test, "test", "", "step: file of clean test digits")
	f.StringVar(&o.candidate, "candidate", "", "step: file to write the new version's name to")
	f.BoolVar(&o.leak, "leak-heldout", false, "step, for the demo of a bad model alone: train on the held-out digits themselves and on 1,000 with slipped labels, so that the version compares well and serves badly")
	o.held.add(c)
	o.addModel(c)
	o.addTraining(c)
}

func (o *trainStepFlags) run(cmd *cobra.Command, seed uint64) error {
	if o.extra == "" || o.test == "" || o.candidate == "" {
		return errors.New("--data: a step of a workflow wants --extra, --test and --candidate too")
	}
	t := steps.Lesson{Seed: seed}
	for path, set := range map[string]*digits.Set{o.data: &t.Base, o.extra: &t.Picked, o.test: &t.Test} {
		var err error
		if *set, err = loadSet(path); err != nil {
			return err
		}
	}
	if o.leak {
		held, err := o.held.sets(t.Test, seed)
		if err != nil {
			return err
		}
		t.Leaked = held.Drifted
	}
	return o.runStep(cmd, func(s *steps.Steps) error {
		c, err := s.Train(cmd.Context(), t)
		if err != nil {
			return err
		}
		return c.Save(o.candidate)
	})
}

func newDigitsEvaluate() *cobra.Command {
	var o stepFlags
	var held heldOutFlags
	var candidate, test string
	var seed uint64
	c := &cobra.Command{
		Use:   "evaluate --candidate FILE --test FILE",
		Short: "Step of a workflow: measure a candidate and the version in production",
		Long: `Measures a candidate and the version in production on the same held-out digits, as
they come now and clean, and logs that with the run of each: metrics accuracy,
accuracy_clean, held_out. The candidate's run is FINISHED then, with the tag
evaluated=true.` + trackerUse,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := steps.LoadCandidate(candidate)
			if err != nil {
				return err
			}
			clean, err := loadSet(test)
			if err != nil {
				return err
			}
			sets, err := held.sets(clean, seed)
			if err != nil {
				return err
			}
			return o.runStep(cmd, func(s *steps.Steps) error { return s.Evaluate(cmd.Context(), c, sets) })
		},
	}
	f := c.Flags()
	f.StringVar(&candidate, "candidate", "", "file that the step train has written")
	f.StringVar(&test, "test", "", "file of clean test digits")
	f.Uint64Var(&seed, "seed", 1, "of what --drift draws")
	held.add(c)
	o.addModel(c)
	return required(c, "candidate", "test")
}

func newDigitsDrifted() *cobra.Command {
	var from sourceFlags
	var held heldOutFlags
	var output string
	c := &cobra.Command{
		Use:   "drifted -o FILE",
		Short: "Write held-out digits as they come once a drift has moved in",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parts, err := from.Load()
			if err != nil {
				return err
			}
			sets, err := held.sets(parts.Held, from.Seed)
			if err != nil {
				return err
			}
			for _, line := range digits.Strip(sets.Drifted.Images[:min(6, sets.Drifted.Len())]) {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), " ", line); err != nil {
					return err
				}
			}
			if err := samples.Save(output, samples.FromSet(sets.Drifted)); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d held-out digits, drifted by %s (%s)\n", sets.Drifted.Len(), held.drift, parts.Source)
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "held-out.zip", "file to write them to")
	from.add(c)
	held.addDrift(c)
	return c
}
