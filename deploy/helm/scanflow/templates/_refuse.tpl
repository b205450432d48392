{{- /*
Values that contradict each other, or have no effect, are refused, all at once. Each problem names
the values and the fix. What a single value may be is in values.schema.json.
*/ -}}
{{- define "scanflow.refuse" -}}
{{- $missing := list -}}
{{- range $key := list "agents" "commonAnnotations" "commonLabels" "crds" "data" "flowSchema" "image" "log" "mlflow" "networkPolicy" "peers" "podAnnotations" "podDisruptionBudget" "podLabels" "policies" "prometheus" "prometheusRule" "rbac" "resources" "senders" "service" "serviceAccount" "serviceMonitor" "test" "tls" "token" "updateStrategy" -}}
{{- if not (kindIs "map" (get $.Values $key)) -}}
{{- $missing = append $missing $key -}}
{{- end -}}
{{- end -}}
{{- range $key := list "leaseDuration" "shardBy" "shards" -}}
{{- if or (not (hasKey $.Values $key)) (kindIs "invalid" (get $.Values $key)) -}}
{{- $missing = append $missing $key -}}
{{- end -}}
{{- end -}}
{{- if $missing -}}
{{- fail (printf "%s: no value. If --reuse-values was given, the values lack the defaults of this chart: give --reset-then-reuse-values in its place. If null was given, leave it out" (join ", " $missing)) -}}
{{- end -}}
{{- $to := dict "root" . "problems" list -}}
{{- include "scanflow.problems.workload" $to -}}
{{- include "scanflow.problems.pod" $to -}}
{{- include "scanflow.problems.policies" $to -}}
{{- include "scanflow.problems.mail" $to -}}
{{- include "scanflow.problems.rights" $to -}}
{{- include "scanflow.problems.network" $to -}}
{{- include "scanflow.problems.monitoring" $to -}}
{{- include "scanflow.problems.cluster" $to -}}
{{- if $to.problems -}}
{{- fail (printf "these values can't be used:\n- %s" (join "\n- " $to.problems)) -}}
{{- end -}}
{{- end -}}

{{- /* Adds a problem: a list of the collection and the sentence. */ -}}
{{- define "scanflow.problem" -}}
{{- $to := index . 0 -}}
{{- $_ := set $to "problems" (append $to.problems (index . 1)) -}}
{{- end -}}

{{- define "scanflow.problems.policies" -}}
{{- $to := . -}}
{{- $p := .root.Values.policies -}}
{{- $sources := list -}}
{{- if $p.configMap -}}{{- $sources = append $sources "policies.configMap" -}}{{- end -}}
{{- if $p.files -}}{{- $sources = append $sources "policies.files" -}}{{- end -}}
{{- if $p.bundle.url -}}{{- $sources = append $sources "policies.bundle.url" -}}{{- end -}}
{{- if gt (len $sources) 1 -}}
{{- include "scanflow.problem" (list $to (printf "%s: the policies come from one place; give at most one of them" (join " and " $sources))) -}}
{{- end -}}
{{- if not $sources -}}
{{- if $p.withoutShippedGuards -}}
{{- include "scanflow.problem" (list $to "policies.withoutShippedGuards: without policies.configMap, policies.files or policies.bundle.url no guard would bind; give one of them") -}}
{{- end -}}
{{- if $p.key.secretName -}}
{{- include "scanflow.problem" (list $to "policies.key.secretName: the policies that ship are part of the image and not signed; give policies.configMap, policies.files or policies.bundle.url with it") -}}
{{- end -}}
{{- end -}}
{{- if and (or $p.key.algorithm $p.key.scope) (not $p.key.secretName) -}}
{{- include "scanflow.problem" (list $to "policies.key.algorithm and policies.key.scope: without policies.key.secretName no signature is looked at; set it, or leave them empty") -}}
{{- end -}}
{{- if not $p.bundle.url -}}
{{- if $p.bundle.token.secretName -}}
{{- include "scanflow.problem" (list $to "policies.bundle.token.secretName: no bundle is fetched without policies.bundle.url; set it, or leave the token out") -}}
{{- end -}}
{{- if ne $p.bundle.interval "30s" -}}
{{- include "scanflow.problem" (list $to "policies.bundle.interval: no bundle is fetched without policies.bundle.url; set it, or leave the interval out") -}}
{{- end -}}
{{- end -}}
{{- $refs := list (list "policies.key" $p.key "key") (list "policies.bundle.token" $p.bundle.token "token") -}}
{{- include "scanflow.problems.keys" (list $to $refs) -}}
{{- end -}}

{{- /* Keys of Secrets that no Secret is named for: a list of path, value and default key. */ -}}
{{- define "scanflow.problems.keys" -}}
{{- $to := index . 0 -}}
{{- range index . 1 -}}
{{- $ref := index . 1 -}}
{{- if and (not $ref.secretName) (ne $ref.key (index . 2)) -}}
{{- include "scanflow.problem" (list $to (printf "%s.key: %s is a key of the Secret %s.secretName, which is empty; name the Secret" (index . 0) $ref.key (index . 0))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
