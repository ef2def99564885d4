/**
 * Whether others had more than a tenth of the processors in some round. Sides whose threads spin while they
 * wait suffer most, so ratios do not help.
 */
export function isDisturbed({ othersShare = [] }) {
  return Math.max(...othersShare) > 0.1;
}
