{{- /*
The roles of the agents, as YAML. Without rbac.roles they are files/rights.yaml, which `scanflow
rbac` has printed for the agent of deploy/kubernetes/autoscale, in the watched namespace.
*/ -}}
{{- define "scanflow.roles" -}}
{{- $watch := include "scanflow.watchNamespace" . -}}
{{- if kindIs "slice" .Values.rbac.roles -}}
{{- toYaml .Values.rbac.roles -}}
{{- else if $watch -}}
{{- $roles := (.Files.Get "files/rights.yaml" | fromYaml).rbac.roles -}}
{{- toYaml (list (dict "namespace" $watch "rules" (first $roles).rules)) -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}
