let index = 0; const names = [];
const controls = this.querySelectorAll('[data-labels]');
for (const control of controls) {
  const labels = JSON.parse(control.dataset.labels);
  index = index * labels.length + Number(control.value);
  const title = controls.length > 1 ? control.dataset.title + ': ' : '';
  names.push(title + labels[control.value]);
  if (control.type === 'range')
    control.setAttribute('aria-valuetext', labels[control.value]);
}
this.querySelectorAll('.modbp-frame').forEach((frame, i) => frame.hidden = i !== index);
this.querySelector('output').textContent = names.join(', ');
