"""What the cluster must not forget when its leader changes or its masters restart.

``records`` says what is kept, one record for each agent, role and so on; stores keep the records:
``memory`` in this process, ``disk`` in the work folder, ``zookeeper`` beside the election.
``registrar`` reads them for a new leader and writes for it, many changes at a time.
"""
