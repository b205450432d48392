{{- /* The pod template of the Deployment and of the StatefulSet. */ -}}
{{- define "scanflow.pod" -}}
{{- $sharded := gt (int .Values.shards) 1 -}}
{{- $policies := include "scanflow.policies" . -}}
{{- $bundle := .Values.policies.bundle -}}
{{- $files := include "scanflow.secretFiles" . | fromJson -}}
{{- $volumes := include "scanflow.volumes" . | trim -}}
{{- $scheme := include "scanflow.scheme" . -}}
metadata:
  labels:
    {{- include "scanflow.labelsWith" (dict "root" . "extra" .Values.podLabels) | nindent 4 }}
  {{- with include "scanflow.annotations" (dict "root" . "extra" .Values.podAnnotations) }}
  {{- . | nindent 2 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "scanflow.serviceAccount" . }}
  # It ends within 15 s, and gives its Lease up.
  terminationGracePeriodSeconds: 30
  {{- include "scanflow.placement" . | trim | nindent 2 }}
  {{- with .Values.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: scanflow
      image: {{ include "scanflow.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [scanflow]
      args:
        - run
        - --kubernetes
        - --namespace={{ include "scanflow.watchNamespace" . }}
        - --install={{ include "scanflow.install" . }}
        - --leader-elect
        - --lease-duration={{ .Values.leaseDuration }}
        {{- if $sharded }}
        - --shard=$(SHARD)/{{ .Values.shards }}
        - --shard-by={{ .Values.shardBy }}
        {{- end }}
        {{- with .Values.agents.selector }}
        - {{ printf "--agents=%s" . | quote }}
        {{- end }}
        - --listen=0.0.0.0:8282
        - --data=/data
        {{- with .Values.prometheus.url }}
        - --prometheus={{ . }}
        {{- end }}
        {{- with .Values.mlflow.url }}
        - --mlflow={{ . }}
        {{- end }}
        {{- with .Values.secretHosts }}
        - {{ printf "--secret-hosts=%s" (join "," .) | quote }}
        {{- end }}
        {{- if $policies }}
        - --policies=/policies
        {{- else if $bundle.url }}
        - {{ printf "--policies=%s" $bundle.url | quote }}
        - --policies-interval={{ $bundle.interval }}
        {{- end }}
        {{- if .Values.policies.withoutShippedGuards }}
        - --without-shipped-guards
        {{- end }}
        {{- with index $files "policies-key" }}
        - --policies-key=/policies-key/{{ .key }}
        {{- with .algorithm }}
        - --policies-key-alg={{ . }}
        {{- end }}
        {{- with .scope }}
        - {{ printf "--policies-key-scope=%s" . | quote }}
        {{- end }}
        {{- end }}
        {{- with index $files "policies-token" }}
        - --policies-token-file=/policies-token/{{ .key }}
        {{- end }}
        {{- with index $files "token" }}
        - --token-file=/token/{{ .key }}
        {{- end }}
        {{- with include "scanflow.mailArgs" . | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        - --log-level={{ .Values.log.level }}
        - --log-format={{ .Values.log.format }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- include "scanflow.env" . | nindent 8 }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: {{ $scheme }}, containerPort: 8282, protocol: TCP}
      {{- if $bundle.url }}
      # The bundle's server is waited for, for a minute.
      startupProbe:
        httpGet: {path: /healthz, port: {{ $scheme }}, scheme: {{ upper $scheme }}}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 60
      {{- end }}
      livenessProbe:
        httpGet: {path: /healthz, port: {{ $scheme }}, scheme: {{ upper $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: {{ $scheme }}, scheme: {{ upper $scheme }}}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- range fromYamlArray $volumes }}
        - {name: {{ .name }}, mountPath: /{{ .name }}, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: data
      emptyDir: {sizeLimit: {{ .Values.data.sizeLimit }}}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- with $volumes }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "scanflow.selector" . | nindent 10 }}
    {{- end }}
{{- end -}}

{{- /* The environment of the process. */ -}}
{{- define "scanflow.env" -}}
{{- $names := list -}}
{{- range .Values.env -}}
{{- $names = append $names .name -}}
{{- end -}}
# The owner of the pod, as people know it.
- {name: SCANFLOW_WORKLOAD, value: {{ printf "%s/%s" .Release.Namespace (include "scanflow.fullname" .) | quote }}}
{{- if gt (int .Values.shards) 1 }}
- name: SHARD
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
{{- end }}
{{- if not (has "GOMEMLIMIT" $names) }}
{{- with include "scanflow.goMemoryLimit" . }}
- {name: GOMEMLIMIT, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* What the pods of the workload and of the test have in common. */ -}}
{{- define "scanflow.placement" -}}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The labels of the pod of `helm test`. */ -}}
{{- define "scanflow.testSelector" -}}
app.kubernetes.io/name: {{ include "scanflow.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
