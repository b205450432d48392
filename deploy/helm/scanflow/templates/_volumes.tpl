{{- /* What the process reads from files: Secrets and ConfigMaps, each mounted at /NAME. */ -}}

{{- /* The keys of Secrets, as JSON: folder -> secretName and key. */ -}}
{{- define "scanflow.secretFiles" -}}
{{- $all := dict "token" .Values.token "client-ca" .Values.tls.clientCA -}}
{{- if .Values.policies.bundle.url -}}
{{- $_ := set $all "policies-token" .Values.policies.bundle.token -}}
{{- end -}}
{{- if or (include "scanflow.policies" .) .Values.policies.bundle.url -}}
{{- $_ := set $all "policies-key" .Values.policies.key -}}
{{- end -}}
{{- if include "scanflow.peers" . | fromJsonArray -}}
{{- $_ := set $all "peer-token" .Values.peers.token -}}
{{- $_ := set $all "peer-ca" .Values.peers.ca -}}
{{- end -}}
{{- $given := dict -}}
{{- range $folder, $ref := $all -}}
{{- if $ref.secretName -}}
{{- $_ := set $given $folder $ref -}}
{{- end -}}
{{- end -}}
{{- toJson $given -}}
{{- end -}}

{{- define "scanflow.volumes" -}}
{{- with include "scanflow.policies" . }}
- name: policies
  configMap: {name: {{ . }}}
{{- end }}
{{- range $folder, $ref := include "scanflow.secretFiles" . | fromJson }}
- name: {{ $folder }}
  secret:
    secretName: {{ $ref.secretName | quote }}
    items:
      - {key: {{ $ref.key | quote }}, path: {{ $ref.key | quote }}}
{{- end }}
{{- with .Values.tls.secretName }}
- name: tls
  secret:
    secretName: {{ . | quote }}
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
{{- end }}
{{- if .Values.senders.list }}
- name: senders
  configMap: {name: {{ include "scanflow.fullname" . }}-senders}
{{- else if .Values.senders.secretName }}
- name: senders
  secret: {secretName: {{ .Values.senders.secretName | quote }}}
{{- end }}
{{- $tokens := list }}
{{- range $sender := .Values.senders.list }}
{{- with .bearerToken }}
{{- $item := dict "key" (default "token" .key) "path" $sender.name }}
{{- $tokens = append $tokens (dict "secret" (dict "name" .secretName "items" (list $item))) }}
{{- end }}
{{- end }}
{{- with $tokens }}
- name: senders-tokens
  projected:
    sources:
      {{- toYaml . | nindent 6 }}
{{- end }}
{{- end -}}
