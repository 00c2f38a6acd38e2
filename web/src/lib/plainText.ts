// What programs print, as text: without the codes that colour a terminal, and without the
// characters that would turn the writing direction of what follows.

// eslint-disable-next-line no-control-regex
const CODES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// eslint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g;

export const plainText = (text: string) => text.replace(CODES, '').replace(INVISIBLE, '');
