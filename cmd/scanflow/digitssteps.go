package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/steps"
)

// trackerUse is the end of each step's help.
const trackerUse = "\n\nThe tracker is the one that MLFLOW_TRACKING_URI names."

// stepFlags are the names of the model and the experiments in the tracker.
type stepFlags struct{ model, predictions, critical, training string }

func (o *stepFlags) addModel(c *cobra.Command) {
	c.Flags().StringVar(&o.model, "register", steps.DefaultModel, "name of the registered model")
}

func (o *stepFlags) addTraining(c *cobra.Command) {
	c.Flags().StringVar(&o.training, "experiment", steps.DefaultTraining, "experiment of trainings")
}

func (o *stepFlags) addCritical(c *cobra.Command) {
	c.Flags().StringVar(&o.critical, "critical", steps.DefaultCritical, "experiment of detections")
}

func (o *stepFlags) addPredictions(c *cobra.Command) {
	c.Flags().StringVar(&o.predictions, "predictions", steps.DefaultPredictions, "experiment of predictions")
}

// runStep runs a step with the tracker that the environment names.
func (o *stepFlags) runStep(cmd *cobra.Command, step func(s *steps.Steps) error) error {
	client, err := registry.Connect(os.Getenv)
	if err != nil {
		return err
	}
	defer client.Close()
	return step(&steps.Steps{
		Client: client, Model: o.model, Predictions: o.predictions, Critical: o.critical, Training: o.training,
		Now: time.Now, Out: cmd.OutOrStdout(),
	})
}

func newDigitsPublish() *cobra.Command {
	var o stepFlags
	var from sourceFlags
	c := &cobra.Command{
		Use:   "publish",
		Short: "Train a first version of the model, register it and put it into production",
		Long: `Trains a first version of the model, registers it, logs how good it is, and gives it
the alias production. Where there is a version in production already, it does nothing.` + trackerUse,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.runStep(cmd, func(s *steps.Steps) error {
				parts, err := from.Load()
				if err != nil {
					return err
				}
				_, err = s.Publish(cmd.Context(), parts, from.Seed)
				return err
			})
		},
	}
	from.add(c)
	o.addModel(c)
	o.addTraining(c)
	return c
}

func newDigitsLoadData() *cobra.Command {
	var o stepFlags
	var from sourceFlags
	var until int64
	var purpose, output, base, picked, test string
	c := &cobra.Command{
		Use:   "load-data --for detect --until-ms MS -o FILE | load-data --for retrain --base FILE --picked FILE --test FILE",
		Short: "Step of a workflow: fetch the samples that it works on",
		Long: `The first step of both workflows.

For detect it fetches the predictions that were logged up to a time and that no
detection has scored yet. For retrain it fetches the digits that the first model was
trained on, all samples picked since, and clean digits to test on.` + trackerUse,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case purpose == "detect" && output != "" && until > 0:
				return o.runStep(cmd, func(s *steps.Steps) error {
					all, err := s.LoadPredictions(cmd.Context(), time.UnixMilli(until))
					if err != nil {
						return err
					}
					return samples.Save(output, all)
				})
			case purpose == "detect":
				return errors.New("--for detect: wants --until-ms, in milliseconds since 1970, and -o FILE")
			case purpose == "retrain" && base != "" && picked != "" && test != "":
				return o.runStep(cmd, func(s *steps.Steps) error {
					found, err := s.LoadPicked(cmd.Context())
					if err != nil {
						return err
					}
					parts, err := from.Load()
					if err != nil {
						return err
					}
					return errors.Join(samples.Save(base, samples.FromSet(parts.Base)), samples.Save(picked, found), samples.Save(test, samples.FromSet(parts.Held)))
				})
			case purpose == "retrain":
				return errors.New("--for retrain: wants --base FILE, --picked FILE and --test FILE to write to")
			}
			return fmt.Errorf("--for: %q is neither detect nor retrain", purpose)
		},
	}
	f := c.Flags()
	f.StringVar(&purpose, "for", "", "detect or retrain")
	f.Int64Var(&until, "until-ms", 0, "for detect: up to when, in milliseconds since 1970")
	f.StringVarP(&output, "output", "o", "", "for detect: file to write the predictions to")
	f.StringVar(&base, "base", "", "for retrain: file to write the first model's digits to")
	f.StringVar(&picked, "picked", "", "for retrain: file to write the picked samples to")
	f.StringVar(&test, "test", "", "for retrain: file to write clean test digits to")
	from.add(c)
	o.addPredictions(c)
	o.addCritical(c)
	return c
}

func newDigitsDetect() *cobra.Command {
	var o stepFlags
	var data, output string
	c := &cobra.Command{
		Use:   "detect --data FILE -o FILE",
		Short: "Step of a workflow: score how critical samples are for the model in production",
		Long: `Scores how critical each sample is for the model in production, 0 to 1: the larger of
1 - (p(best class) - p(next)), and half the distance to what it was trained on, in its
hidden layer, where 1 is the distance within which 99 of 100 training samples have
their tenth nearest.` + trackerUse,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.runStep(cmd, func(s *steps.Steps) error {
				all, err := samples.Load(data)
				if err != nil {
					return err
				}
				if err := s.Detect(cmd.Context(), all); err != nil {
					return err
				}
				return samples.Save(output, all)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "file of the samples")
	f.StringVarP(&output, "output", "o", "", "file to write them to, with their scores")
	o.addModel(c)
	return required(c, "data", "output")
}

func newDigitsPickData() *cobra.Command {
	var o stepFlags
	var data string
	var until int64
	var picking steps.Picking
	c := &cobra.Command{
		Use:   "pick-data --data FILE --until-ms MS",
		Short: "Step of a workflow: pick the critical samples, and log the detection",
		Long: `Picks the critical ones of scored samples whose label is known, the highest scores
first, and logs them as a run: metrics scored and critical, and the samples. A
detection up to a time is logged once, however often the step is tried.` + trackerUse,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.runStep(cmd, func(s *steps.Steps) error {
				all, err := samples.Load(data)
				if err != nil {
					return err
				}
				picking.Until = time.UnixMilli(until)
				return s.Pick(cmd.Context(), all, picking)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "file of the scored samples")
	f.Int64Var(&until, "until-ms", 0, "up to when they were loaded, in milliseconds since 1970")
	f.Float64Var(&picking.Threshold, "threshold", steps.DefaultThreshold, "a sample is critical above this score")
	f.IntVar(&picking.Most, "most", steps.DefaultMost, "pick no more than these")
	o.addCritical(c)
	return required(c, "data", "until-ms")
}

// required marks flags as required.
func required(c *cobra.Command, flags ...string) *cobra.Command {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // there is no such flag
		}
	}
	return c
}
