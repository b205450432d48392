package steps

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
)

// LoadPicked returns the samples that detections picked, without duplicates, oldest first.
func (s *Steps) LoadPicked(ctx context.Context) ([]samples.Sample, error) {
	detections, err := s.runs(ctx, s.Critical, finished)
	if err != nil {
		return nil, fmt.Errorf("load picked samples: %w", err)
	}
	var all []samples.Sample
	seen := map[string]bool{}
	for i := range detections {
		picked, err := s.download(ctx, detections[i].ID, pickedArtifact)
		if err != nil {
			return nil, fmt.Errorf("load picked samples: %w", err)
		}
		for _, x := range picked {
			if x.ID == "" || !seen[x.ID] {
				all = append(all, x)
			}
			seen[x.ID] = true
		}
	}
	return all, s.printf("%d samples picked by %d detections", len(all), len(detections))
}
