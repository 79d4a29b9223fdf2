/* predict.h: predict mode: before a step gives an answer away, the window asks for it. */
#ifndef MEMWALK_VIZ_PREDICT_H
#define MEMWALK_VIZ_PREDICT_H

#include "viz/view.h"

void predict_toggle(struct view *);
/* Is a question open, or due at this moment (then it is opened)? */
bool predict_ask(struct view *);
/* The person's answer, from 1; the view's verdict says whether it was right. */
void predict_answer(struct view *, unsigned answer);

#endif
