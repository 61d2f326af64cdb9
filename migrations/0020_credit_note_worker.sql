-- A period that is priced again gives back no more than what credit notes left of its charges: who finalizes reads them.
grant select on credit_note to usageflow_worker;
